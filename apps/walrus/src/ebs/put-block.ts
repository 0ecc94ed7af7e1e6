import type { Ebs } from '@mallee/ebs-api'
import { ebsValidation } from '@mallee/ebs-api'
import { blockBytes, digestOfBlock, encodeBlock } from '@mallee/volume-snapshots'
import type { EbsContext } from './ebs-context.ts'
import { notOpen, requireWritable } from './snapshot-access.ts'
import { keepStagedBlock } from './staged-block.ts'

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
  const block = await ctx.body()
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
    await keepStagedBlock(
      { ...ctx.source, clock: ctx.clock },
      { snapshotId, number, digest, progress },
      encoded,
    )
    return true
  })
  if (kept === null) throw notOpen(snapshotId)
  return { Checksum: checksum, ChecksumAlgorithm: 'SHA256' }
}
