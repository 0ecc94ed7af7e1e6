import { createHash, randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  blockBytes,
  blockCodec,
  codecOf,
  digestOfBlock,
  encodeBlock,
  linearChecksums,
  stagedKey,
  stagingPrefix,
} from '@mallee/volume-snapshots'
import { Dying } from './dying.ts'
import { hurried, StorageWorld, whyNoTargets } from './storage-world.ts'

const missing = whyNoTargets()
const MiB = 1024 ** 2
const account = '000000000001'
const sizeBytes = 64 * MiB

let world: StorageWorld
const dying = new Dying()
let made = 0

const until = (condition: () => boolean) => dying.until(world, condition)

const newSnapshotId = () => `snap-${String((made += 1)).padStart(17, '0')}`
type Blocks = Readonly<Record<number, Buffer>>

/** As walrus keeps what a client puts; answers the digests in the order of the numbers. */
async function stage(snapshotId: string, blocks: Blocks): Promise<string[]> {
  const digests: string[] = []
  for (const [number, bytes] of Object.entries(blocks)) {
    const digest = digestOfBlock(bytes)
    digests.push(digest)
    world.store.objects.set(
      stagedKey(snapshotId, { number: Number(number), digest }),
      await encodeBlock(bytes),
    )
  }
  return digests
}

const itemOf = (snapshotId: string, written: object, remove = false) => ({
  ...{ snapshotId, accountId: account, volumeId: 'vol-ffffffff', sizeBytes, remove },
  written: { prefix: stagingPrefix(snapshotId), parent: null, checksum: null, ...written },
})

async function gather(blocks: Blocks, more: object = {}): Promise<string> {
  const id = newSnapshotId()
  const digests = await stage(id, blocks)
  await world.want('snapshot', id, itemOf(id, { changedBlocksCount: digests.length, ...more }))
  await until(() => ['completed', 'failed'].includes(world.facts('snapshot', id)?.state ?? ''))
  for (const key of world.store.objects.keys())
    if (key.startsWith(stagingPrefix(id))) world.store.objects.delete(key)
  return id
}

const stateOf = (id: string) => world.facts('snapshot', id)?.state
const messageOf = (id: string) => world.facts('snapshot', id)?.message
const indexOf = (id: string) => world.facts('snapshot', id)!.index!
const stored = () => [...world.store.objects.keys()].filter((key) => !key.startsWith('direct/'))
const block = () => randomBytes(blockBytes)

/** What a volume that is made of it holds, block by block. */
async function volumeOf(snapshotId: string): Promise<(number: number) => Promise<Buffer>> {
  const volumeId = snapshotId.replace('snap-', 'vol-')
  const source = { snapshotId, index: indexOf(snapshotId) }
  await world.want('volume', volumeId, { volumeId, accountId: account, sizeBytes, source, remove: false })
  await until(() => world.facts('volume', volumeId)?.state === 'available')
  return (number) => world.driver.read({ volumeId }, number * blockBytes, blockBytes)
}

async function removeAll(): Promise<void> {
  for (const { id, body } of world.ledger.list('snapshot')) {
    await world.want('snapshot', id, { ...body, remove: true })
    await until(() => stateOf(id) === 'gone')
    await world.want('snapshot', id, null)
  }
}

describe.skipIf(missing !== null)('a snapshot that its client wrote', () => {
  beforeAll(async () => {
    world = await StorageWorld.start(undefined, dying.around, hurried)
  }, 60_000)
  afterEach(async () => {
    await removeAll()
    expect(stored()).toEqual([])
  })
  afterAll(() => world?.stop(), 60_000)

  test('holds what was written and zeros, each block once', async () => {
    const [a, b] = [block(), block()]
    const id = await gather({ 0: a, 5: b, 9: a, 127: Buffer.alloc(blockBytes) })
    expect(world.facts('snapshot', id)).toMatchObject({ state: 'completed', progress: 100 })
    expect(stored().filter((key) => key.includes('/blocks/'))).toHaveLength(2)
    const read = await volumeOf(id)
    for (const [number, bytes] of [
      [0, a],
      [5, b],
      [9, a],
    ] as const)
      expect((await read(number)).equals(bytes)).toBe(true)
    for (const number of [1, 127]) expect((await read(number)).equals(Buffer.alloc(blockBytes))).toBe(true)
  })

  test('holds its parent’s blocks where nothing was written, and keeps them when the parent goes', async () => {
    const [a, b, c] = [block(), block(), block()]
    const parent = await gather({ 0: a, 1: b, 2: c })
    const before = stored().length
    const d = block()
    const id = await gather({ 1: d, 2: Buffer.alloc(blockBytes) }, { parent: indexOf(parent) })
    expect(stored()).toHaveLength(before + 2) // one block and a list
    await world.want('snapshot', parent, { ...world.ledger.get('snapshot', parent)!.body, remove: true })
    await until(() => stateOf(parent) === 'gone')
    const read = await volumeOf(id)
    expect((await read(0)).equals(a)).toBe(true)
    expect((await read(1)).equals(d)).toBe(true)
    expect((await read(2)).equals(Buffer.alloc(blockBytes))).toBe(true)
  })

  test('has the blocks of a parent that is another account’s copied', async () => {
    const theirs = await gather({ 3: block() })
    const { key } = indexOf(theirs)
    const id = newSnapshotId()
    await world.want('snapshot', id, {
      ...itemOf(id, { changedBlocksCount: 0, parent: indexOf(theirs) }),
      accountId: '000000000002',
    })
    await until(() => stateOf(id) === 'completed')
    expect(key).toContain(account)
    expect(stored().filter((name) => name.startsWith('agent-1/000000000002/blocks/'))).toHaveLength(1)
  })

  test('is checked against what its client says, and else fails and leaves nothing', async () => {
    const blocks = { 0: block(), 4: block() }
    const digests = Object.values(blocks).map(digestOfBlock)
    const [ofDigests, ofTexts] = linearChecksums(digests)
    for (const checksum of [ofDigests, ofTexts])
      expect(stateOf(await gather(blocks, { checksum }))).toBe('completed')
    await removeAll()
    const wrongCount = await gather(blocks, { changedBlocksCount: 3 })
    expect([stateOf(wrongCount), messageOf(wrongCount)]).toEqual([
      'failed',
      'ChangedBlocksCount is 3, and 2 blocks were written.',
    ])
    const [reversed] = linearChecksums(digests.toReversed())
    const wrongSum = await gather(blocks, { checksum: reversed })
    expect(messageOf(wrongSum)).toContain('checksum')
    expect(stored()).toEqual([])
  })

  test('of damaged blocks fails, and what was stored of it goes', async () => {
    const id = newSnapshotId()
    await stage(id, { 0: block() })
    const wrong = createHash('sha256').update('other').digest('hex')
    world.store.objects.set(stagedKey(id, { number: 9, digest: wrong }), await encodeBlock(block()))
    await world.want('snapshot', id, itemOf(id, { changedBlocksCount: 2 }))
    await until(() => stateOf(id) === 'failed')
    expect(messageOf(id)).toContain('damaged')
    expect(stored()).toEqual([])
  })

  test('that is encrypted lies under the account’s key, and so does what is on top of it', async () => {
    const snapshotKey = { id: 'key-1', secret: randomBytes(32).toString('base64') }
    const [a, b] = [block(), block()]
    const gatherSealed = async (blocks: Blocks, written: object, more: object) => {
      const id = newSnapshotId()
      const digests = await stage(id, blocks)
      await world.want('snapshot', id, {
        ...itemOf(id, { changedBlocksCount: digests.length, ...written }),
        ...more,
      })
      await until(() => ['completed', 'failed'].includes(stateOf(id) ?? ''))
      for (const key of world.store.objects.keys())
        if (key.startsWith(stagingPrefix(id))) world.store.objects.delete(key)
      return id
    }
    const parent = await gatherSealed({ 0: a, 3: a, 7: Buffer.alloc(blockBytes) }, {}, { snapshotKey })
    const list = (await world.snapshots['indexes'].read(parent))!
    expect([list.keyId, [...list.blocks.keys()]]).toEqual(['key-1', [0, 3]])
    const name = list.blocks.get(0)!
    expect([list.blocks.get(3), name === digestOfBlock(a)]).toEqual([name, false])
    const lying = world.store.objects.get(`${list.prefix}/${name}`)!
    expect((await codecOf(list, snapshotKey).decode(lying, name)).equals(a)).toBe(true)
    await expect(blockCodec(null).decode(lying, name)).rejects.toThrow()
    const child = await gatherSealed({ 1: b }, { parent: indexOf(parent) }, { snapshotKey })
    const onTop = (await world.snapshots['indexes'].read(child))!
    expect([onTop.keyId, onTop.blocks.get(0), onTop.blocks.has(1)]).toEqual(['key-1', name, true])
    const plain = await gatherSealed({ 1: b }, { parent: indexOf(parent) }, {})
    expect([stateOf(plain), messageOf(plain)]).toEqual(['failed', 'The parent snapshot is of another key.'])
  })

  test('waits for a walrus that is away', async () => {
    const a = block()
    world.store.failures = 3
    const id = await gather({ 7: a })
    expect((await (await volumeOf(id))(7)).equals(a)).toBe(true)
  })

  test('comes to the same end wherever its controller dies', async () => {
    const parentBlocks = { 0: block(), 1: block(), 2: block() }
    const ownBlocks = { 1: block(), 2: Buffer.alloc(blockBytes), 8: block() }
    const live = async () => {
      const parent = await gather(parentBlocks)
      const id = await gather(ownBlocks, { parent: indexOf(parent) })
      const list = await world.snapshots['indexes'].read(id)
      expect([...list!.blocks].toSorted(([a], [b]) => a - b)).toEqual([
        [0, digestOfBlock(parentBlocks[0])],
        [1, digestOfBlock(ownBlocks[1])],
        [8, digestOfBlock(ownBlocks[8])],
      ])
      await removeAll()
    }
    dying.dieBefore(Infinity)
    await live()
    const steps = dying.effects.length
    expect(steps).toBeGreaterThan(20)
    for (let step = 1; step <= steps; step += 1) {
      dying.dieBefore(step)
      await live().catch((error: unknown) => {
        throw new Error(`died before effect ${step}, ${dying.effects.at(-1)} done`, { cause: error })
      })
      expect(await readdir(path.join(world.dir, 'indexes'))).toEqual([])
      expect(stored().filter((key) => key.includes('/indexes/'))).toEqual([])
      // Blocks that no list names may be left by a death; fsck shows and removes them.
      for (const key of stored()) world.store.objects.delete(key)
    }
    dying.dieBefore(Infinity)
  }, 120_000)
})
