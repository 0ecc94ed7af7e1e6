import { MalleeError } from '@mallee/base'
import { AwsError } from '@mallee/aws-protocol'
import { errorCatalogue } from '@mallee/ec2-api'

/**
 * What of anything thrown a client is told. A refusal of an inner room keeps its code where the catalogue has it; what
 * nobody named is our fault, and says no more than that.
 */
export function toAwsError(thrown: unknown): AwsError {
  if (thrown instanceof AwsError && isNamed(thrown.code)) return thrown
  if (thrown instanceof MalleeError && isNamed(thrown.code))
    return new AwsError(thrown.code, thrown.publicMessage, errorCatalogue[thrown.code]!.status, {
      cause: thrown,
    })
  if (thrown instanceof MalleeError && thrown.retryable)
    return new AwsError('Unavailable', 'The service is unavailable. Please try again shortly.', 503, {
      cause: thrown,
    })
  return new AwsError('InternalError', 'An internal error has occurred', 500, { cause: thrown })
}

function isNamed(code: string): boolean {
  return Object.hasOwn(errorCatalogue, code)
}
