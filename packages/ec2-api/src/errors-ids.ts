/** How EC2 says that ids do not exist or cannot be ids. */
import { AwsError } from '@mallee/aws-protocol'

/** `The instance ID 'i-1' does not exist`, or of several: `The instance IDs 'i-1, i-2' do not exist`. */
export function notFound(code: string, what: string, ids: readonly string[]): AwsError {
  return ids.length === 1
    ? new AwsError(code, `The ${what} ID '${ids[0]}' does not exist`)
    : new AwsError(code, `The ${what} IDs '${ids.join(', ')}' do not exist`)
}

/** `Invalid id: "x" (expecting "vpc-...")`; without a prefix, `Invalid id: "x"`. */
export function malformedId(code: string, id: string, prefix: string): AwsError {
  const expecting = prefix === '' ? '' : ` (expecting "${prefix}...")`
  return new AwsError(code, `Invalid id: "${id.slice(0, 200)}"${expecting}`)
}
