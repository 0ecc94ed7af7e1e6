/**
 * Errors of the EBS direct APIs: code, status and reason are AWS's.
 * https://docs.aws.amazon.com/ebs/latest/APIReference/CommonErrors.html and the pages of the operations.
 */
import { AwsError, type DecodeErrors } from '@mallee/aws-protocol'

/** Reasons of ValidationException that we give. */
export type EbsValidationReason =
  | 'INVALID_BLOCK'
  | 'INVALID_BLOCK_TOKEN'
  | 'INVALID_CUSTOMER_KEY'
  | 'INVALID_DEPENDENCY_REQUEST'
  | 'INVALID_PAGE_TOKEN'
  | 'INVALID_PARAMETER_VALUE'
  | 'INVALID_SNAPSHOT_ID'
  | 'INVALID_TAG'
  | 'INVALID_VOLUME_SIZE'
  | 'UNRELATED_SNAPSHOTS'

const statuses = {
  AccessDeniedException: 403,
  ValidationException: 400,
  ResourceNotFoundException: 404,
  RequestThrottledException: 400,
  ServiceQuotaExceededException: 402,
  ConcurrentLimitExceededException: 400,
  ConflictException: 409,
  InternalServerException: 500,
} as const

/** AWS's own limit, in characters. */
const longestMessage = 256

export function ebsError(
  code: keyof typeof statuses,
  message: string,
  options: { reason?: string; cause?: unknown } = {},
): AwsError {
  const { reason, cause } = options
  return new AwsError(code, message.slice(0, longestMessage), statuses[code], {
    cause,
    details: reason === undefined ? {} : { Reason: reason },
  })
}

export const ebsValidation = (reason: EbsValidationReason, message: string): AwsError =>
  ebsError('ValidationException', message, { reason })

/** Also of a snapshot that the caller may not know of. */
export const ebsNotFound = (snapshotId: string): AwsError =>
  ebsError('ResourceNotFoundException', `The snapshot '${snapshotId}' does not exist.`, {
    reason: 'SNAPSHOT_NOT_FOUND',
  })

export const ebsAccessDenied = (message: string): AwsError =>
  ebsError('AccessDeniedException', message, { reason: 'UNAUTHORIZED_ACCOUNT' })

export const ebsQuotaExceeded = (message: string): AwsError =>
  ebsError('ServiceQuotaExceededException', message, { reason: 'DEPENDENCY_SERVICE_QUOTA_EXCEEDED' })

export const ebsThrottled = (): AwsError =>
  ebsError('RequestThrottledException', 'Too many requests; try again later.', {
    reason: 'ACCOUNT_THROTTLED',
  })

export const ebsTooManyPending = (message: string): AwsError =>
  ebsError('ConcurrentLimitExceededException', message)

export const ebsConflict = (): AwsError =>
  ebsError(
    'ConflictException',
    'The request uses the same client token as a previous, but non-identical request.',
  )

export const ebsInternalError = (cause: unknown): AwsError =>
  ebsError('InternalServerException', 'An internal error has occurred.', { cause })

export const ebsUnknownOperation = (): AwsError =>
  new AwsError('UnknownOperationException', 'There is no such operation.', 404)

const reasonsOfMembers: Readonly<Record<string, EbsValidationReason>> = {
  SnapshotId: 'INVALID_SNAPSHOT_ID',
  FirstSnapshotId: 'INVALID_SNAPSHOT_ID',
  SecondSnapshotId: 'INVALID_SNAPSHOT_ID',
  ParentSnapshotId: 'INVALID_SNAPSHOT_ID',
  BlockToken: 'INVALID_BLOCK_TOKEN',
  NextToken: 'INVALID_PAGE_TOKEN',
  BlockIndex: 'INVALID_BLOCK',
  VolumeSize: 'INVALID_VOLUME_SIZE',
  KmsKeyArn: 'INVALID_CUSTOMER_KEY',
  Tags: 'INVALID_TAG',
}

const reasonOf = (path: string): EbsValidationReason =>
  reasonsOfMembers[path.split('.', 1)[0] ?? ''] ?? 'INVALID_PARAMETER_VALUE'

const shown = (text: string): string => text.slice(0, 100)

/** What the decoder says of members that do not fit the model. */
export const decodeErrorsOfMembers: DecodeErrors = {
  missing: (path) => ebsValidation(reasonOf(path), `The request must contain ${shown(path)}.`),
  unknown: (path) => ebsValidation(reasonOf(path), `${shown(path)} is not recognized.`),
  badValue: (path, _value, expected) =>
    ebsValidation(reasonOf(path), `The value of ${shown(path)} must be ${expected}.`),
}
