import {
  GetSnapshotBlockCommand,
  ListSnapshotBlocksCommand,
  PutSnapshotBlockCommand,
} from '@aws-sdk/client-ebs'
import { ListChangedBlocksCommand, EBSClient } from '@aws-sdk/client-ebs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { block, EbsWorld, sha256 } from './ebs-world.ts'
import { allow, PrincipalWorld, type PrincipalKind, type Signing } from './principal-world.ts'
import { WalrusUnderTest } from './walrus-under-test.ts'

/** The EBS direct APIs that walrus has × every kind of principal. */
let walrus: WalrusUnderTest
let principals: PrincipalWorld
let ebs: EbsWorld
let kinds: readonly PrincipalKind[]
let [first, full] = ['', '']
let token: string

beforeAll(async () => {
  walrus = await WalrusUnderTest.start()
  principals = new PrincipalWorld(walrus)
  ebs = new EbsWorld(walrus)
  kinds = await principals.kinds()
  first = await ebs.plant({ 0: block() })
  full = await ebs.plant({ 0: block() })
  const listed = await ebs.sdk().send(new ListSnapshotBlocksCommand({ SnapshotId: full }))
  token = listed.Blocks![0]!.BlockToken!
})
afterAll(() => walrus.stop())

const client = (credentials: Signing) =>
  new EBSClient({
    endpoint: walrus.url,
    region: 'us-east-1',
    maxAttempts: 1,
    credentials: { ...credentials },
  })

const data = block()
const operations: Record<string, (id: string) => never> = {
  ListSnapshotBlocks: () => new ListSnapshotBlocksCommand({ SnapshotId: full }) as never,
  ListChangedBlocks: () =>
    new ListChangedBlocksCommand({ FirstSnapshotId: first, SecondSnapshotId: full }) as never,
  GetSnapshotBlock: () =>
    new GetSnapshotBlockCommand({ SnapshotId: full, BlockIndex: 0, BlockToken: token }) as never,
  PutSnapshotBlock: (SnapshotId) =>
    new PutSnapshotBlockCommand({
      ...{ SnapshotId, BlockIndex: 1, BlockData: data, DataLength: data.length },
      ...{ Checksum: sha256(data), ChecksumAlgorithm: 'SHA256' },
    }) as never,
}

async function outcome(who: Signing, command: never): Promise<'allowed' | [status: number, code: string]> {
  try {
    await client(who).send(command)
    return 'allowed'
  } catch (error) {
    const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } }
    return [$metadata?.httpStatusCode ?? 0, name]
  }
}

/** As its own services say it: by the fate at S3's door. */
const words: Readonly<Record<string, [number, string]>> = {
  AccessDenied: [403, 'AccessDeniedException'],
  InvalidAccessKeyId: [403, 'UnrecognizedClientException'],
  InvalidToken: [403, 'UnrecognizedClientException'],
  ExpiredToken: [403, 'ExpiredTokenException'],
}

test.each(Object.keys(operations))('%s is for whom the policies allow it', async (operation) => {
  const open = await ebs.open()
  for (const { name, who, fate } of kinds.toSorted(
    (a, b) => Number(a.fate === 'allowed') - Number(b.fate === 'allowed'),
  )) {
    expect([name, await outcome(who, operations[operation]!(open))]).toEqual([
      name,
      fate === 'allowed' ? fate : words[fate[1]],
    ])
    if (fate !== 'allowed') expect(await ebs.staged(open)).toEqual([])
  }
})

test.each(Object.keys(operations))('%s is for the one snapshot that a policy names', async (operation) => {
  const open = await ebs.open()
  const arn = (id: string) => `arn:aws:ec2:us-east-1::snapshot/${id}`
  const named = operation === 'PutSnapshotBlock' ? open : full
  const [right, wrong] = [
    principals.user([allow(`ebs:${operation}`, [arn(first), arn(named)])]),
    principals.user([allow(`ebs:${operation}`, [arn(first), arn(`${named}0`)]), allow('ec2:*')]),
  ]
  await principals.believed()
  expect(await outcome(wrong, operations[operation]!(open))).toEqual([403, 'AccessDeniedException'])
  expect(await outcome(right, operations[operation]!(open))).toBe('allowed')
})
