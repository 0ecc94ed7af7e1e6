import type { Ledger } from '@mallee/agent-kit'
import type { KeyOf } from '../drivers/file-driver.ts'

/** Data keys as the set has them: they are kept nowhere else. */
export function itemKeys(ledger: Ledger): KeyOf {
  return ({ volumeId, snapshotId }) => {
    const item =
      snapshotId === undefined ? ledger.get('volume', volumeId) : ledger.get('snapshot', snapshotId)
    return item?.body.dataKey ?? null
  }
}

/** Volumes that somebody is to reach. */
export function exportedVolumes(ledger: Ledger): string[] {
  return ledger.list('export').flatMap(({ body }) => (body.withdraw ? [] : [body.volumeId]))
}
