/** Errors of CloudTrail and Service Quotas: codes and statuses are AWS's, which answers all of the caller's with 400. */
import { AwsError, type DecodeErrors } from '@mallee/aws-protocol'

const statuses = { InternalFailure: 500, ServiceUnavailableException: 503 } as const

export type GovernanceErrorCode =
  | 'AccessDeniedException'
  | 'IllegalArgumentException'
  | 'InternalFailure'
  | 'InvalidEventCategoryException'
  | 'InvalidLookupAttributesException'
  | 'InvalidMaxResultsException'
  | 'InvalidNextTokenException'
  | 'InvalidPaginationTokenException'
  | 'InvalidParameterCombinationException'
  | 'InvalidS3BucketNameException'
  | 'InvalidS3PrefixException'
  | 'InvalidTimeRangeException'
  | 'InvalidTrailNameException'
  | 'MaximumNumberOfTrailsExceededException'
  | 'NoSuchResourceException'
  | 'QuotaExceededException'
  | 'ResourceAlreadyExistsException'
  | 'S3BucketDoesNotExistException'
  | 'ServiceUnavailableException'
  | 'ThrottlingException'
  | 'TooManyRequestsException'
  | 'TrailAlreadyExistsException'
  | 'TrailNotFoundException'
  | 'UnknownOperationException'
  | 'UnsupportedOperationException'

export function governanceError(code: GovernanceErrorCode, message: string, cause?: unknown): AwsError {
  return new AwsError(code, message, (statuses as Record<string, number>)[code] ?? 400, { cause })
}

const shown = (text: string): string => text.slice(0, 100)

/** What the decoder says of members that do not fit the model, by service. */
export const cloudTrailDecodeErrors: DecodeErrors = {
  missing: (path) =>
    validation(`Value null at '${shown(path)}' failed to satisfy constraint: Member must not be null`),
  unknown: (path) => validation(`${shown(path)} is not recognized.`),
  badValue: (path, _value, expected) =>
    path.startsWith('LookupAttributes')
      ? governanceError('InvalidLookupAttributesException', `The lookup attribute must be ${expected}.`)
      : validation(`The value of ${shown(path)} must be ${expected}.`),
}

const validation = (message: string): AwsError => new AwsError('ValidationException', message, 400)

export const serviceQuotasDecodeErrors: DecodeErrors = {
  missing: (path) => governanceError('IllegalArgumentException', `The request must contain ${shown(path)}.`),
  unknown: (path) => governanceError('IllegalArgumentException', `${shown(path)} is not recognized.`),
  badValue: (path, _value, expected) =>
    path === 'NextToken'
      ? governanceError('InvalidPaginationTokenException', 'The pagination token is not valid.')
      : governanceError('IllegalArgumentException', `The value of ${shown(path)} must be ${expected}.`),
}
