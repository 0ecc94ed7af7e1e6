import { invalidInstanceIdMalformed, invalidInstanceIdNotFound } from '@mallee/ec2-api'
import { listInstances } from '../store/instance-store.ts'
import type { Reader } from '../store/record.ts'
import type { InstanceTable } from '../store/tables.ts'
import type { ActionContext } from './define-action.ts'
import { requireIds } from './required-ids.ts'

/** The caller's instances of these ids, in their order; EC2's errors for malformed and for missing ones. */
export async function requireInstances(
  ctx: ActionContext,
  db: Reader,
  ids: readonly string[],
): Promise<InstanceTable[]> {
  return requireIds(ids, await listInstances(db, ctx.scope, ids), {
    kind: 'instance',
    idOf: (instance) => instance.id,
    malformed: invalidInstanceIdMalformed,
    missing: invalidInstanceIdNotFound,
  })
}
