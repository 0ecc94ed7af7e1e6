import { MalleeError } from '@mallee/base'
import { AwsError } from '@mallee/aws-protocol'

/** A refusal of an inner room keeps its code; whatever nobody named is our fault and says no more than that. */
export function toAwsError(thrown: unknown): AwsError {
  if (thrown instanceof AwsError) return thrown
  if (thrown instanceof MalleeError)
    return new AwsError(thrown.code, thrown.publicMessage, thrown.retryable ? 503 : 400, { cause: thrown })
  return new AwsError('InternalError', 'An internal error has occurred', 500, { cause: thrown })
}
