import { systemRandom } from '@mallee/base'
import type { Ebs } from '@mallee/ebs-api'
import { ebsValidation } from '@mallee/ebs-api'
import { blockBytes, digestOfBlock, encodeBlock, snapshotBucket, stagedKey } from '@mallee/volume-snapshots'
import { ensureBucket } from '../http/storage-objects.ts'
import { insertBlob } from '../index/blob-rows.ts'
import { dropOverwritten, noteWrite } from '../index/staging-rows.ts'
import { nullVersion, storeVersion, withoutAttributes } from '../index/store-version.ts'
import { storedHeaders } from '../objects/object-headers.ts'
import { newObjectId } from '../objects/object-id.ts'
import { receiveBlob, type Received } from '../objects/receive-blob.ts'
import type { EbsContext } from './ebs-context.ts'
import { notOpen, requireWritable } from './snapshot-access.ts'

type PutInput = Omit<Ebs.PutSnapshotBlockRequest, 'BlockData'>

/**
 * Keeps a block until the snapshot's storage controller gathers it. What was written under its number before is
 * overwritten. https://docs.aws.amazon.com/ebs/latest/APIReference/API_PutSnapshotBlock.html
 */
export async function putSnapshotBlock(
  ctx: EbsContext,
  input: PutInput,
): Promise<Ebs.PutSnapshotBlockResponse> {
  const { SnapshotId: snapshotId, BlockIndex: number } = input
  const snapshot = await requireWritable(ctx, snapshotId)
  if (number * blockBytes >= snapshot.sizeBytes)
    throw ebsValidation('INVALID_BLOCK', `The block index ${number} is past the end of the volume.`)
  if (input.DataLength !== blockBytes)
    throw ebsValidation('INVALID_PARAMETER_VALUE', `DataLength must be ${blockBytes}.`)
  const block = await ctx.body(blockBytes)
  if (block.length !== blockBytes)
    throw ebsValidation(
      'INVALID_PARAMETER_VALUE',
      `The block has ${block.length} bytes, and not ${blockBytes}.`,
    )
  const digest = digestOfBlock(block)
  const checksum = Buffer.from(digest, 'hex').toString('base64')
  if (checksum !== input.Checksum)
    throw ebsValidation('INVALID_PARAMETER_VALUE', 'The Checksum is not that of the block data.')
  const encoded = await encodeBlock(block)
  const progress = input.Progress ?? null
  const kept = await ctx.snapshots.write(snapshotId, async () => {
    await keepBlock(ctx, { snapshotId, number, digest, progress }, encoded)
    return true
  })
  if (kept === null) throw notOpen(snapshotId)
  return { Checksum: checksum, ChecksumAlgorithm: 'SHA256' }
}

interface Written {
  readonly snapshotId: string
  readonly number: number
  readonly digest: string
  readonly progress: number | null
}

async function keepBlock({ source, clock }: EbsContext, written: Written, bytes: Buffer): Promise<void> {
  const { index, blobs, masterKeys } = source
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

function rowOf({ snapshotId, ...block }: Written, { sizeBytes, etag }: Received, nowMs: number) {
  return {
    ...{ bucket: snapshotBucket, key: stagedKey(snapshotId, block), id: newObjectId(systemRandom) },
    ...{ size: sizeBytes, etag, modified_at: nowMs, version_id: nullVersion },
    ...storedHeaders({}),
    ...withoutAttributes,
    ...{ checksum_name: null, checksum_value: null, checksum_type: null, upload_id: null },
  }
}
