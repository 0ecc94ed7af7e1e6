import { s3NotImplemented } from '@mallee/s3-api'
import type { S3Action } from './s3-context.ts'

/** Values that ask for what is so anyway, by member. */
const harmless: Readonly<Record<string, ReadonlySet<unknown>>> = {
  BucketKeyEnabled: new Set([false]),
  BypassGovernanceRetention: new Set([false]),
  // Nobody is kept from locking itself out, so there is nothing to confirm.
  ConfirmRemoveSelfBucketAccess: new Set([true, false]),
  // There is no other storage class to move to.
  TransitionDefaultMinimumObjectSize: new Set(['all_storage_classes_128K', 'varies_by_storage_class']),
  SkipDestinationValidation: new Set([false]),
}

/** A member that nobody acts upon is an error and not a silence: the client believes what is not refused. */
export function refuseUnknown(action: S3Action, input: Readonly<Record<string, unknown>>): void {
  for (const [member, value] of Object.entries(input)) {
    if (value === undefined || action.understands.has(member)) continue
    if (member === 'ContentLength' || harmless[member]?.has(value)) continue
    throw s3NotImplemented(`${member} of ${action.name}`)
  }
}
