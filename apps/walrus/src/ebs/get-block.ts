import type { Ebs } from '@mallee/ebs-api'
import { ebsValidation } from '@mallee/ebs-api'
import { blockBytes, zeroDigest } from '@mallee/volume-snapshots'
import { blockAbout, type EbsContext } from './ebs-context.ts'
import { requireReadable } from './snapshot-access.ts'

/** https://docs.aws.amazon.com/ebs/latest/APIReference/API_GetSnapshotBlock.html */
export async function getSnapshotBlock(
  ctx: EbsContext,
  input: Ebs.GetSnapshotBlockRequest,
): Promise<Ebs.GetSnapshotBlockResponse> {
  const snapshot = await requireReadable(ctx, input.SnapshotId)
  if (input.BlockIndex * blockBytes >= snapshot.sizeBytes)
    throw ebsValidation(
      'INVALID_BLOCK',
      `The block index ${input.BlockIndex} is past the end of the snapshot.`,
    )
  const number = ctx.tokens.read(blockAbout(snapshot), input.BlockToken, ctx.clock.now())
  if (number !== input.BlockIndex)
    throw ebsValidation('INVALID_BLOCK_TOKEN', 'The block token is not of this block, or has expired.')
  const list = await ctx.objects.list(snapshot.index)
  const { bytes, digest } = await ctx.objects.block(list, number, snapshot.snapshotKey ?? null)
  return {
    DataLength: bytes.length,
    BlockData: bytes,
    Checksum: Buffer.from(digest ?? zeroDigest, 'hex').toString('base64'),
    ChecksumAlgorithm: 'SHA256',
  }
}
