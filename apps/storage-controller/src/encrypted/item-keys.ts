import type { Ledger } from '@mallee/agent-kit'
import type { SnapshotKey } from '@mallee/volume-snapshots'
import type { KeyOf } from '../drivers/file-driver.ts'

/** Data keys as the set has them: they are kept nowhere else. */
export function itemKeys(ledger: Ledger): KeyOf {
  return ({ volumeId, snapshotId }) => {
    const item =
      snapshotId === undefined ? ledger.get('volume', volumeId) : ledger.get('snapshot', snapshotId)
    return item?.body.dataKey ?? null
  }
}

/** What a volume that is restored needs. */
export function restoreKeys(
  ledger: Ledger,
  volumeId: string,
): { dataKey: string | null; snapshotKey: SnapshotKey | null } {
  const body = ledger.get('volume', volumeId)?.body
  return { dataKey: body?.dataKey ?? null, snapshotKey: body?.source?.snapshotKey ?? null }
}

/** Volumes that somebody is to reach. */
export function exportedVolumes(ledger: Ledger): string[] {
  return ledger.list('export').flatMap(({ body }) => (body.withdraw ? [] : [body.volumeId]))
}
