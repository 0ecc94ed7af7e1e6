import { systemRandom, type Clock } from '@mallee/base'
import { snapshotBucket, stagedKey } from '@mallee/volume-snapshots'
import { ensureBucket } from '../http/storage-objects.ts'
import { insertBlob } from '../index/blob-rows.ts'
import { dropOverwritten, noteWrite } from '../index/staging-rows.ts'
import { nullVersion, storeVersion, withoutAttributes } from '../index/store-version.ts'
import { storedHeaders } from '../objects/object-headers.ts'
import { newObjectId } from '../objects/object-id.ts'
import type { ObjectSource } from '../objects/open-object.ts'
import { receiveBlob, type Received } from '../objects/receive-blob.ts'

/** A block that lies in walrus until the snapshot's storage controller gathers it. */
export interface StagedWrite {
  readonly snapshotId: string
  readonly number: number
  readonly digest: string
  /** Percent, as its client says; null where it did not. */
  readonly progress: number | null
}

/** Durable when it resolves. What was written under its number before is overwritten. `bytes`: encoded. */
export async function keepStagedBlock(
  { index, blobs, masterKeys, clock }: ObjectSource & { readonly clock: Clock },
  written: StagedWrite,
  bytes: Buffer,
): Promise<void> {
  await ensureBucket(index, clock)
  const received = await receiveBlob({
    ...{ blobs, masterKeys, encryption: null, checksum: null },
    source: {
      lengthBytes: () => bytes.length,
      async *bytes() {
        yield bytes
      },
      trailer: () => undefined,
    },
  })
  const { blob } = received
  if (!blob) throw new TypeError('an encoded block has bytes')
  const nowMs = clock.now()
  const dropped = await index
    .transaction('action', async (tx) => {
      await insertBlob(tx, blob)
      const row = rowOf(written, received, nowMs)
      const segments = [{ position: 0, blob_id: blob.id, size: blob.sizeBytes }]
      const replaced = await storeVersion(tx, row, segments)
      const overwritten = await dropOverwritten(tx, { ...written, key: row.key })
      await noteWrite(tx, { ...written, nowMs })
      return [...replaced.dropped, ...overwritten]
    })
    .catch((error: unknown) => {
      blobs.forget([blob.id])
      throw error
    })
  blobs.forget(dropped)
}

function rowOf({ snapshotId, ...block }: StagedWrite, { sizeBytes, etag }: Received, nowMs: number) {
  return {
    ...{ bucket: snapshotBucket, key: stagedKey(snapshotId, block), id: newObjectId(systemRandom) },
    ...{ size: sizeBytes, etag, modified_at: nowMs, version_id: nullVersion },
    ...storedHeaders({}),
    ...withoutAttributes,
    ...{ checksum_name: null, checksum_value: null, checksum_type: null, upload_id: null },
  }
}
