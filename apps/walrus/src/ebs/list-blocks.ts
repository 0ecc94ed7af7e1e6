import type { Ebs } from '@mallee/ebs-api'
import { ebsValidation } from '@mallee/ebs-api'
import { GiB } from '@mallee/base'
import { blockBytes } from '@mallee/volume-snapshots'
import { blockAbout, type EbsContext } from './ebs-context.ts'
import { requireReadable, type Readable } from './snapshot-access.ts'
import type { ReadList } from './snapshot-objects.ts'

/** https://docs.aws.amazon.com/ebs/latest/userguide/ebsapi-faq.html */
const blockTokenMs = 7 * 24 * 3_600_000
const pageTokenMs = 60 * 60_000
/** AWS's largest page. */
const defaultResults = 10_000

interface Page {
  readonly NextToken?: string | undefined
  readonly MaxResults?: number | undefined
  readonly StartingBlockIndex?: number | undefined
}

/** https://docs.aws.amazon.com/ebs/latest/APIReference/API_ListSnapshotBlocks.html */
export async function listSnapshotBlocks(
  ctx: EbsContext,
  input: Ebs.ListSnapshotBlocksRequest,
): Promise<Ebs.ListSnapshotBlocksResponse> {
  const snapshot = await requireReadable(ctx, input.SnapshotId)
  const { numbers } = await ctx.objects.list(snapshot.index)
  const about = ['ListSnapshotBlocks', snapshot.snapshotId, snapshot.index.sha256]
  const first = startOf(ctx, about, input, snapshot)
  const at = lowerBound(numbers, first)
  const page = numbers.slice(at, at + (input.MaxResults ?? defaultResults))
  const tokens = tokensOf(ctx)
  return {
    Blocks: page.map((number) => ({ BlockIndex: number, BlockToken: tokens.of(snapshot, number) })),
    ...tokens.envelope(snapshot),
    NextToken: nextToken(ctx, about, numbers[at + page.length]),
  }
}

/**
 * Blocks are the same where their digests are. One that the second snapshot has not was made zeros: its token gives those.
 * https://docs.aws.amazon.com/ebs/latest/APIReference/API_ListChangedBlocks.html
 */
export async function listChangedBlocks(
  ctx: EbsContext,
  input: Ebs.ListChangedBlocksRequest,
): Promise<Ebs.ListChangedBlocksResponse> {
  if (input.FirstSnapshotId === undefined)
    throw ebsValidation('INVALID_SNAPSHOT_ID', 'The request must contain FirstSnapshotId.')
  const first = await requireReadable(ctx, input.FirstSnapshotId)
  const second = await requireReadable(ctx, input.SecondSnapshotId)
  if (first.lineage !== second.lineage)
    throw ebsValidation('UNRELATED_SNAPSHOTS', 'The snapshots are not of the same volume or lineage.')
  const about = [
    'ListChangedBlocks',
    first.snapshotId,
    first.index.sha256,
    second.snapshotId,
    second.index.sha256,
  ]
  const start = startOf(ctx, about, input, second)
  const lists = [await ctx.objects.list(first.index), await ctx.objects.list(second.index)] as const
  const most = input.MaxResults ?? defaultResults
  const changed = changedBlocks(...lists, start, most + 1)
  const tokens = tokensOf(ctx)
  return {
    ChangedBlocks: changed.slice(0, most).map((number) => ({
      BlockIndex: number,
      ...(lists[0].blocks.has(number) ? { FirstBlockToken: tokens.of(first, number) } : {}),
      SecondBlockToken: tokens.of(second, number),
    })),
    ...tokens.envelope(second),
    NextToken: nextToken(ctx, about, changed[most]),
  }
}

/** Numbers from `start` on, at most `most`, in their order. */
function changedBlocks(first: ReadList, second: ReadList, start: number, most: number): number[] {
  const found: number[] = []
  let a = lowerBound(first.numbers, start)
  let b = lowerBound(second.numbers, start)
  while (found.length < most) {
    const number = Math.min(first.numbers[a] ?? Infinity, second.numbers[b] ?? Infinity)
    if (number === Infinity) break
    if (first.numbers[a] === number) a += 1
    if (second.numbers[b] === number) b += 1
    if (first.blocks.get(number) !== second.blocks.get(number)) found.push(number)
  }
  return found
}

function startOf(ctx: EbsContext, about: readonly string[], page: Page, snapshot: Readable): number {
  if (page.NextToken !== undefined) {
    const number = ctx.tokens.read(about, page.NextToken, ctx.clock.now())
    if (number === null)
      throw ebsValidation('INVALID_PAGE_TOKEN', 'The page token is not valid, or has expired.')
    return number
  }
  const start = page.StartingBlockIndex ?? 0
  if (start * blockBytes >= snapshot.sizeBytes)
    throw ebsValidation('INVALID_BLOCK', 'StartingBlockIndex is past the end of the snapshot.')
  return start
}

function nextToken(ctx: EbsContext, about: readonly string[], next: number | undefined): string | undefined {
  return next === undefined ? undefined : ctx.tokens.make(about, next, ctx.clock.now() + pageTokenMs)
}

function tokensOf(ctx: EbsContext) {
  const expiresMs = ctx.clock.now() + blockTokenMs
  return {
    of: (snapshot: Readable, number: number) => ctx.tokens.make(blockAbout(snapshot), number, expiresMs),
    envelope: ({ sizeBytes }: Readable) => ({
      ExpiryTime: new Date(expiresMs),
      VolumeSize: sizeBytes / GiB,
      BlockSize: blockBytes,
    }),
  }
}

/** Of the first number that is not below. */
function lowerBound(numbers: readonly number[], least: number): number {
  let [low, high] = [0, numbers.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (numbers[middle]! < least) low = middle + 1
    else high = middle
  }
  return low
}
