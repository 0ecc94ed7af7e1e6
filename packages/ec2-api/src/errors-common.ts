/**
 * EC2's errors that are not about one kind of resource: requests, callers, limits, the cloud's own state.
 * Codes and statuses: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
 */
import { AwsError } from '@mallee/aws-protocol'

export function invalidAction(action: string | undefined): AwsError {
  return action === undefined || action === ''
    ? new AwsError('MissingAction', 'The request must contain the parameter Action')
    : new AwsError('InvalidAction', `The action ${shown(action)} is not valid for this web service.`)
}

/** AWS has the action, we do not (yet). */
export function unsupportedOperation(action: string): AwsError {
  return new AwsError(
    'UnsupportedOperation',
    `The operation ${shown(action)} is not supported by this cloud.`,
  )
}

/** The action exists, this use of it does not: names what. */
export function unsupportedParameter(parameter: string): AwsError {
  return new AwsError(
    'UnsupportedOperation',
    `The parameter ${shown(parameter)} is not supported by this cloud.`,
  )
}

export function missingParameter(parameter: string): AwsError {
  return new AwsError('MissingParameter', `The request must contain the parameter ${parameter}`)
}

export function unknownParameter(parameter: string): AwsError {
  return new AwsError('UnknownParameter', `The parameter ${parameter} is not recognized`)
}

export function invalidParameterValue(message: string): AwsError {
  return new AwsError('InvalidParameterValue', message)
}

/** A parameter that goes with another only. */
export function invalidParameterDependency(message: string): AwsError {
  return new AwsError('InvalidParameterDependency', message)
}

export function invalidParameterCombination(message: string): AwsError {
  return new AwsError('InvalidParameterCombination', message)
}

/** A filter name that the action does not know. */
export function invalidFilter(name: string): AwsError {
  return new AwsError('InvalidParameterValue', `The filter '${shown(name)}' is invalid`)
}

export function filterLimitExceeded(most: number): AwsError {
  return new AwsError(
    'FilterLimitExceeded',
    `The maximum number of filter values specified on a single call is ${most}`,
  )
}

export function invalidNextToken(): AwsError {
  return new AwsError('InvalidParameterValue', 'Unable to parse pagination token')
}

export function idempotentParameterMismatch(
  message = 'Arguments on this idempotent request are inconsistent with arguments used in previous request(s).',
): AwsError {
  return new AwsError('IdempotentParameterMismatch', message)
}

/** The answer to DryRun when the request would have succeeded. */
export function dryRunOperation(): AwsError {
  return new AwsError('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412)
}

export function unauthorizedOperation(
  message = 'You are not authorized to perform this operation.',
): AwsError {
  return new AwsError('UnauthorizedOperation', message, 403)
}

export function operationNotPermitted(message: string): AwsError {
  return new AwsError('OperationNotPermitted', message)
}

export function authFailure(
  message = 'AWS was not able to validate the provided access credentials',
): AwsError {
  return new AwsError('AuthFailure', message, 401)
}

/** A resource of another account, where AWS says so rather than NotFound. */
export function authFailureNotAuthorizedFor(what: string): AwsError {
  return new AwsError('AuthFailure', `Not authorized for ${what}`, 403)
}

export function dependencyViolation(message: string): AwsError {
  return new AwsError('DependencyViolation', message)
}

export function invalidRequest(message = 'The request received was invalid.'): AwsError {
  return new AwsError('InvalidRequest', message)
}

export function incorrectState(message: string): AwsError {
  return new AwsError('IncorrectState', message)
}

export function resourceLimitExceeded(message: string): AwsError {
  return new AwsError('ResourceLimitExceeded', message)
}

export function requestLimitExceeded(message = 'Request limit exceeded.'): AwsError {
  return new AwsError('RequestLimitExceeded', message, 503)
}

export function tagLimitExceeded(
  message = 'The maximum number of Tags for a resource has been reached.',
): AwsError {
  return new AwsError('TagLimitExceeded', message)
}

export function internalError(message = 'An internal error has occurred'): AwsError {
  return new AwsError('InternalError', message, 500)
}

export function serviceUnavailable(
  message = 'The service is unavailable. Please try again shortly.',
): AwsError {
  return new AwsError('Unavailable', message, 503)
}

function shown(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
