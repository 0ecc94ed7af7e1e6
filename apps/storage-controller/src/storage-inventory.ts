import type { InventoryEntry } from '@mallee/agent-contract'
import type { InventorySource, Ledger } from '@mallee/agent-kit'
import { MalleeError } from '@mallee/base'
import type { BlockDriver } from './drivers/block-driver.ts'
import { snapshotIdForm, volumeIdForm } from './drivers/block-driver.ts'
import type { ServedVolumes } from './exports/served-volumes.ts'
import type { ExportKeeper } from './exports/export-keeper.ts'
import type { LazyRestores } from './restore/lazy-restores.ts'
import type { LocalIndexes } from './snapshots/local-indexes.ts'
import type { ObjectStore } from './snapshots/object-store.ts'
import type { SnapshotKeeper } from './snapshots/snapshot-keeper.ts'

interface Parts {
  readonly agentId: string
  readonly ledger: Ledger
  readonly driver: BlockDriver
  readonly exports: ExportKeeper
  readonly snapshots: SnapshotKeeper
  readonly indexes: LocalIndexes
  readonly store: ObjectStore | null
  readonly lazy: Pick<LazyRestores, 'drop'> | null
  readonly served: Pick<ServedVolumes, 'drop'> | null
}

/** What this storage controller really holds, with the owner that its set names; what nobody owns it removes on request. */
export function storageInventory(parts: Parts): InventorySource {
  return {
    async take() {
      const problems: string[] = []
      const objects = await strayObjects(parts).catch((error: unknown) => {
        problems.push(`walrus: ${String((error as Error).message)}`)
        return []
      })
      return { entries: [...(await files(parts)), ...targets(parts), ...objects], problems }
    },
    remove: (removal) => remove(parts, removal.kind, removal.id),
  }
}

async function files({ driver, ledger }: Parts): Promise<InventoryEntry[]> {
  const found = await driver.inventory()
  const entry = (
    kind: 'volume-file' | 'snapshot-file' | 'temporary-file',
    { id, changedAtMs }: { id: string; changedAtMs: number },
    owner: string | null,
  ): InventoryEntry => ({ kind, id, owner, state: null, changedAtMs })
  const ownerOf = (kind: 'volume' | 'snapshot', id: string) => (ledger.get(kind, id) ? id : null)
  return [
    ...found.volumes.map((file) => entry('volume-file', file, ownerOf('volume', file.id))),
    ...found.snapshots.map((file) => entry('snapshot-file', file, ownerOf('snapshot', file.id))),
    ...found.unfinished
      .filter(({ id }) => !ledger.get('volume', /vol-[0-9a-f]+/.exec(id)?.[0] ?? ''))
      .map((file) => entry('temporary-file', file, null)),
  ]
}

function targets({ exports, ledger }: Parts): InventoryEntry[] {
  const items = ledger.list('export')
  return exports.targets.map(({ iqn }) => ({
    ...{ kind: 'target' as const, id: iqn, state: null, changedAtMs: null },
    owner: items.find((item) => item.body.iqn === iqn)?.id ?? null,
  }))
}

/** Blocks and lists of this controller's in walrus that none of its snapshots uses. */
async function strayObjects({ agentId, store, snapshots, ledger }: Parts): Promise<InventoryEntry[]> {
  if (!store) return []
  const keys = await store.list(`${agentId}/`)
  return keys.flatMap((key): InventoryEntry[] => {
    const [, , kind, name] = key.split('/')
    const used = kind === 'indexes' ? ledger.get('snapshot', name ?? '') !== undefined : snapshots.isUsed(key)
    if (used) return []
    return [{ kind: 'snapshot-object', id: key, owner: null, state: null, changedAtMs: null }]
  })
}

async function remove(parts: Parts, kind: string, id: string): Promise<void> {
  const { driver, exports, ledger, snapshots, agentId } = parts
  switch (kind) {
    case 'volume-file':
      if (!volumeIdForm.test(id) || ledger.get('volume', id)) throw notRemovable(kind, id)
      if (exports.serves(id)) throw notRemovable(kind, id)
      await parts.lazy?.drop(id)
      await parts.served?.drop(id)
      return driver.removeVolume(id)
    case 'snapshot-file':
      if (!snapshotIdForm.test(id) || ledger.get('snapshot', id)) throw notRemovable(kind, id)
      return driver.removeSnapshot(id)
    case 'temporary-file':
      return driver.removeUnfinished(id)
    case 'target':
      return exports.removeStray(id)
    case 'snapshot-object':
      // An upload that is under way has blocks that no list names yet.
      if (!id.startsWith(`${agentId}/`) || snapshots.isUsed(id) || snapshots.isBusy)
        throw notRemovable(kind, id)
      return removeObject(parts, id)
    default:
      throw notRemovable(kind, id)
  }
}

/** With a list goes what only it used. */
async function removeObject({ snapshots, store, ledger }: Parts, key: string): Promise<void> {
  const [, , kind, snapshotId] = key.split('/')
  if (kind !== 'indexes' || snapshotId === undefined || !snapshotIdForm.test(snapshotId))
    return store?.remove(key)
  if (ledger.get('snapshot', snapshotId)) throw notRemovable('snapshot-object', key)
  return snapshots.removeStray(snapshotId, key)
}

function notRemovable(kind: string, id: string): MalleeError {
  return new MalleeError({
    code: 'NotRemovable',
    publicMessage: `The ${kind} ${id.slice(0, 100)} is in use, or is none.`,
  })
}
