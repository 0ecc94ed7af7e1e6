/** Errors of the IAM and STS doors. https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html */
import { AwsError } from '@mallee/aws-protocol'

export function invalidQueryAction(action: string | undefined, version: string | undefined): AwsError {
  if (action === undefined || action === '') {
    return new AwsError('MissingAction', 'The request must contain the parameter Action')
  }
  const named = version === undefined ? '' : ` for version ${version.slice(0, 40)}`
  return new AwsError('InvalidAction', `Could not find operation ${action.slice(0, 200)}${named}`)
}

/** AWS has the action, we do not (yet). */
export function notImplemented(action: string): AwsError {
  return new AwsError(
    'UnsupportedOperation',
    `The operation ${action.slice(0, 200)} is not supported by this cloud.`,
  )
}

export function accessDenied(message: string): AwsError {
  return new AwsError('AccessDenied', message, 403)
}

export function noSuchEntity(message: string): AwsError {
  return new AwsError('NoSuchEntity', message, 404)
}

export function entityAlreadyExists(message: string): AwsError {
  return new AwsError('EntityAlreadyExists', message, 409)
}

export function deleteConflict(message: string): AwsError {
  return new AwsError('DeleteConflict', message, 409)
}

export function limitExceeded(message: string): AwsError {
  return new AwsError('LimitExceeded', message, 409)
}

export function malformedPolicyDocument(message: string): AwsError {
  return new AwsError('MalformedPolicyDocument', message)
}

export function validationError(message: string): AwsError {
  return new AwsError('ValidationError', message)
}

export function expiredToken(message = 'The security token included in the request is expired'): AwsError {
  return new AwsError('ExpiredToken', message, 403)
}

export function serviceFailure(message = 'An internal error has occurred'): AwsError {
  return new AwsError('ServiceFailure', message, 500)
}

export function malformedCertificate(message: string): AwsError {
  return new AwsError('MalformedCertificate', message)
}

export function invalidCertificate(message: string): AwsError {
  return new AwsError('InvalidCertificate', message)
}

export function duplicateCertificate(message: string): AwsError {
  return new AwsError('DuplicateCertificate', message, 409)
}

export function invalidInput(message: string): AwsError {
  return new AwsError('InvalidInput', message)
}

export function keyPairMismatch(message: string): AwsError {
  return new AwsError('KeyPairMismatch', message)
}

export function passwordPolicyViolation(message: string): AwsError {
  return new AwsError('PasswordPolicyViolation', message)
}

export function invalidUserType(message: string): AwsError {
  return new AwsError('InvalidUserType', message)
}

export function invalidAuthenticationCode(message: string): AwsError {
  return new AwsError('InvalidAuthenticationCode', message, 403)
}

export function entityTemporarilyUnmodifiable(message: string): AwsError {
  return new AwsError('EntityTemporarilyUnmodifiable', message, 409)
}

export function policyNotAttachable(message: string): AwsError {
  return new AwsError('PolicyNotAttachable', message)
}

export function reportNotPresent(message: string): AwsError {
  return new AwsError('ReportNotPresent', message, 410)
}
