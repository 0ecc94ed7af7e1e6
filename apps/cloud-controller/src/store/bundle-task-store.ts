import type { Keyring } from '../identity/keyring.ts'
import type { Reader, Tx } from './record.ts'
import type { BundleTaskTable } from './tables.ts'

/** While one of these, the instance is shut down for it and not started again. */
export const openPhases = ['waiting-for-shutdown', 'bundling'] as const

export const isOpen = ({ phase }: BundleTaskTable): boolean =>
  (openPhases as readonly string[]).includes(phase)

/** The one task that an instance is shut down for; undefined where there is none. */
export function openBundleTask(db: Reader, instanceId: string): Promise<BundleTaskTable | undefined> {
  return db
    .selectFrom('bundle_task')
    .selectAll()
    .where('instance_id', '=', instanceId)
    .where('phase', 'in', openPhases)
    .executeTakeFirst()
}

export async function moveBundleTask(
  tx: Tx,
  task: BundleTaskTable,
  changes: Partial<Pick<BundleTaskTable, 'phase' | 'progress' | 'error_code' | 'error_message'>>,
  nowMs: number,
): Promise<void> {
  await tx.db
    .updateTable('bundle_task')
    .set({ ...changes, updated_at: nowMs })
    .where('id', '=', task.id)
    .execute()
}

/** With the signature whoever has the policy may write to the bucket: it is as secret as a key. */
export const sealUploadSignature = (keyring: Keyring, signature: string): string =>
  keyring.seal(signature, 'upload signature')

export const openUploadSignature = (keyring: Keyring, sealed: string): string =>
  keyring.open(sealed, 'upload signature')
