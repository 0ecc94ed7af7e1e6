import { MalleeError, errorMessage } from '@mallee/base'
import type { ImageObjectFacts, InventoryEntry, InventoryRemoval } from '@mallee/agent-contract'
import type { InventorySource, Ledger } from '@mallee/agent-kit'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import { isSmall } from '../drivers/small-bytes.ts'
import { allBlobIds, dropUnnamedBlobs, unnamedBlobIds } from '../index/blob-rows.ts'
import { imageNote } from '../images/image-inspector.ts'
import { findObject } from '../index/object-rows.ts'
import { wrongUsage } from '../index/usage-rows.ts'
import type { StagingKeeper } from '../ebs/staging-keeper.ts'
import { stagedSnapshotIds } from '../index/staging-rows.ts'
import { damagedBlobs } from '../index/scrub-rows.ts'
import type { Index } from '../index/tables.ts'

interface Dependencies {
  readonly index: Index
  readonly blobs: BlobKeeper
  readonly ledger: Ledger
  readonly staging: Pick<StagingKeeper, 'remove'>
}

/**
 * Where walrus' index and its bytes do not agree. Bytes are listed before rows are, and what somebody still reads or
 * writes is left out, so that work under way does not look like a leftover; the age of each is said all the same.
 */
export function walrusInventory(deps: Dependencies): InventorySource {
  return {
    async take() {
      const results = await Promise.allSettled([bytes(deps), images(deps), staged(deps)])
      return {
        entries: results.flatMap((result) => (result.status === 'fulfilled' ? result.value : [])),
        problems: [
          ...results.flatMap((result) => (result.status === 'rejected' ? [errorMessage(result.reason)] : [])),
          ...(await wrongUsage((work) => deps.index.read(work))),
        ],
      }
    },
    remove: (removal) => remove(deps, removal),
  }
}

async function bytes({ index, blobs }: Dependencies): Promise<InventoryEntry[]> {
  const standing = new Set<string>()
  for await (const id of blobs.list()) standing.add(id)
  const known = await index.read(allBlobIds)
  const entries: InventoryEntry[] = []
  for (const id of standing) {
    if (known.has(id) || blobs.isHeld(id)) continue
    entries.push(entry('blob', id, { changedAtMs: await blobs.changedAtMs(id) }))
  }
  for (const id of known) {
    if (standing.has(id) || (await blobs.changedAtMs(id)) !== null) continue
    entries.push(entry('blob-row', id))
  }
  for (const id of await index.read(unnamedBlobIds))
    entries.push(entry('blob', id, { state: 'a row that no object names' }))
  for (const { blob_id, found_at } of await index.read(damagedBlobs))
    entries.push(entry('blob-row', blob_id, { state: 'damaged', changedAtMs: found_at }))
  for (const { id, changedAtMs } of await blobs.listUnfinished())
    entries.push(entry('temporary-file', `incoming/${id}`, { changedAtMs }))
  return entries
}

async function images({ index, ledger }: Dependencies): Promise<InventoryEntry[]> {
  const entries: InventoryEntry[] = []
  for (const { body } of ledger.list('image-object')) {
    if (body.madeFrom && !isMade(ledger, body.imageId)) continue // it comes, or it goes
    const object = await index.read((db) => findObject(db, body.bucket, body.key))
    entries.push(entry('image-object', body.imageId, { state: object ? 'present' : 'missing' }))
  }
  return entries
}

/** Blocks that a client wrote; of a snapshot that is in no set they are nobody's. */
async function staged({ index, ledger }: Dependencies): Promise<InventoryEntry[]> {
  return (await index.read(stagedSnapshotIds)).map((id) => ({
    ...entry('staged-snapshot', id),
    owner: ledger.get('readable-snapshot', id) ? id : null,
  }))
}

/** Whether walrus made the image's object and was not told to remove it. */
function isMade(ledger: Ledger, imageId: string): boolean {
  return ledger.note<{ facts: ImageObjectFacts }>(imageNote + imageId)?.facts.state === 'available'
}

function entry(
  kind: InventoryEntry['kind'],
  id: string,
  more: { state?: string; changedAtMs?: number | null } = {},
): InventoryEntry {
  return { kind, id, owner: null, state: more.state ?? null, changedAtMs: more.changedAtMs ?? null }
}

async function remove(deps: Dependencies, { kind, id }: InventoryRemoval): Promise<void> {
  const { index, blobs } = deps
  if (kind === 'staged-snapshot') {
    if (deps.ledger.get('readable-snapshot', id)) throw refused(`The snapshot ${id} is known.`)
    return deps.staging.remove(id)
  }
  if (kind === 'temporary-file') return blobs.removeUnfinished(id.replace(/^incoming\//, ''))
  if (kind !== 'blob') throw refused(`Walrus removes no ${kind}.`)
  const dropped = await index.transaction('action', (tx) => dropUnnamedBlobs(tx, [id]))
  const known = await index.read(allBlobIds)
  const inUse = isSmall(id) ? dropped.length === 0 : known.has(id) || blobs.isHeld(id)
  if (inUse) throw refused(`The bytes ${id} are in use.`)
  await blobs.removeNow(id)
}

const refused = (publicMessage: string) => new MalleeError({ code: 'NotRemovable', publicMessage })
