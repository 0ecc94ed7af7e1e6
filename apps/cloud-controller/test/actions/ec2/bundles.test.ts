import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ImageObjectFacts, ImageObjectItem } from '@mallee/agent-contract'
import { unwrapKey, newBundleKey, wrapKey } from '@mallee/image-bundle'
import { AnsweringWalrus } from '../../answering-walrus.ts'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let walrus: AnsweringWalrus
let user: Credentials

const GiB = 1024 ** 3
const machine = { kind: 'machine', architecture: 'x86_64', sizeBytes: 1000, rootDevice: 'sda' } as const
const manifests = {
  'b/disk.manifest.xml': machine,
  'b/arm.manifest.xml': { ...machine, architecture: 'aarch64', rootDevice: 'evil;rm' },
  'b/sparc.manifest.xml': { ...machine, architecture: 'sparc' },
  'b/huge.manifest.xml': { ...machine, sizeBytes: 31 * GiB },
  'b/old.manifest.xml': { ...machine, kernelId: 'eki-01234567', ramdiskId: 'eri-01234567' },
  'b/vmlinuz.manifest.xml': { ...machine, kind: 'kernel', kernelId: null },
  'b/initrd.manifest.xml': { ...machine, kind: 'ramdisk' },
  'b/garbage.manifest.xml': { state: 'malformed', message: 'The manifest is no well-formed XML.' },
} as const

beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  walrus = await AnsweringWalrus.join(cloud, manifests)
  user = await cloud.createAccount('user')
})
afterEach(async () => {
  await walrus.stop()
  await cloud.stop()
})

const register = async (name: string, more: Record<string, string> = {}, as = user) => {
  const answer = await cloud.call(
    'RegisterImage',
    { Name: name, ImageLocation: `b/${name}.manifest.xml`, ...more },
    { as },
  )
  await cloud.settled()
  return answer
}
const describe = async (id: string) =>
  (await cloud.call('DescribeImages', { 'ImageId.1': id }, { as: user })).xml.imagesSet.item[0]
const itemOf = async (id: string) =>
  (await cloud.desired('walrus', walrus.agentId)).bodies.find((item) => item.id === id)?.body as
    | ImageObjectItem
    | undefined
const available: Partial<ImageObjectFacts> = {
  ...{ state: 'available', format: 'raw', sizeBytes: 1000, virtualSizeBytes: 1000, layout: 'disk' },
  sha256: 'b'.repeat(64),
}

test('a manifest is registered as what it says; its disk is walrus’ to make, and told with its progress', async () => {
  const id: string = (await register('disk')).xml.imageId
  expect(id).toMatch(/^ami-[0-9a-f]{17}$/)
  expect(await describe(id)).toMatchObject({
    ...{ imageState: 'pending', imageLocation: 'b/disk.manifest.xml', rootDeviceName: '/dev/sda' },
    architecture: 'x86_64',
  })
  const item = (await itemOf(id))!
  expect(item).toMatchObject({
    ...{ key: id, kind: 'machine', accountId: user.accountId },
    madeFrom: {
      how: 'bundle',
      bucket: 'b',
      key: 'disk.manifest.xml',
      accountName: 'user',
      mostBytes: 30 * GiB,
    },
  })
  expect(item.bucket).toMatch(new RegExp(`^amis-for-${user.accountId}-in-us-east-1-`))
  await walrus.say(id, { state: 'making', progress: 40 })
  expect((await describe(id)).stateReason).toEqual({ code: 'pending', message: 'Unpacking: 40 %.' })
  const filter = { 'Filter.1.Name': 'state-reason-message', 'Filter.1.Value.1': 'Unpacking*' }
  expect((await cloud.call('DescribeImages', filter, { as: user })).xml.imagesSet.item).toHaveLength(1)
  await walrus.say(id, available)
  const image = await describe(id)
  expect([image.imageState, image.stateReason]).toEqual(['available', undefined])
  const where = { 'Filter.1.Name': 'manifest-location', 'Filter.1.Value.1': 'b/disk.manifest.xml' }
  expect((await cloud.call('DescribeImages', where, { as: user })).xml.imagesSet.item).toHaveLength(1)
})

test('a node is told of the disk, and not of the manifest', async () => {
  const id: string = (await register('disk')).xml.imageId
  await walrus.say(id, available)
  const node = await cloud.addNode('one')
  const run = await cloud.call('RunInstances', { ImageId: id, MinCount: 1, MaxCount: 1 }, { as: user })
  expect(run.code, run.body).toBeUndefined()
  await cloud.settled()
  const domain = (await cloud.desired('node', node)).bodies.find((item) => item.kind === 'domain')!
  const { bucket, key } = (await itemOf(id))!
  expect((domain.body as { machine: unknown }).machine).toMatchObject({
    bucket,
    key,
    sha256: available.sha256,
  })
  // What runs keeps its disk; when it is gone, walrus removes it, and only then is the item dropped.
  await cloud.call('DeregisterImage', { ImageId: id }, { as: user })
  await cloud.settled()
  expect((await itemOf(id))!.remove).toBeUndefined()
  const instanceId = run.xml.instancesSet.item[0].instanceId as string
  await cloud.call('TerminateInstances', { 'InstanceId.1': instanceId }, { as: user })
  await cloud.settled()
  await cloud.reportDomain(node, `${instanceId}/1`, { state: 'gone' })
  expect((await itemOf(id))!.remove).toBe(true)
  await walrus.say(id, { state: 'gone' })
  expect(await itemOf(id)).toBeUndefined()
})

test('one that fails says why, and what walrus may hold of it is removed', async () => {
  const id: string = (await register('disk')).xml.imageId
  await walrus.say(id, { state: 'gone' }) // of a pending image: nobody asked for that
  expect((await itemOf(id))!.remove).toBeUndefined()
  await walrus.say(id, { state: 'failed', message: 'Part 3 (disk.part.03) is missing.' })
  const image = await describe(id)
  expect([image.imageState, image.stateReason.message]).toEqual([
    'failed',
    'Part 3 (disk.part.03) is missing.',
  ])
  expect((await itemOf(id))!.remove).toBe(true)
  await walrus.say(id, { state: 'gone' })
  expect(await itemOf(id)).toBeUndefined()
  expect((await register('disk')).code).toBeUndefined() // the name is free again
})

test('a disk that is being copied stays until the copy stands', async () => {
  const id: string = (await register('disk')).xml.imageId
  await walrus.say(id, available)
  const source = { SourceRegion: 'us-east-1', SourceImageId: id, Name: 'copy' }
  const copy: string = (await cloud.call('CopyImage', source, { as: user })).xml.imageId
  await cloud.call('DeregisterImage', { ImageId: id }, { as: user })
  await cloud.settled()
  expect((await itemOf(id))!.remove).toBeUndefined()
  expect((await itemOf(copy))!.copyOf).toMatchObject({ key: id })
  await walrus.say(copy, available)
  expect((await itemOf(id))!.remove).toBe(true)
})

test('kernels and ramdisks are the administrator’s to register, and everybody’s to use', async () => {
  for (const [name, prefix] of [
    ['vmlinuz', 'aki'],
    ['initrd', 'ari'],
  ] as const) {
    const refused = await register(name)
    expect([refused.status, refused.code]).toEqual([403, 'AuthFailure'])
    const id: string = (await register(name, {}, cloud.admin)).xml.imageId
    expect(id).toMatch(new RegExp(`^${prefix}-`))
    expect((await describe(id)).imageType).toBe(prefix === 'aki' ? 'kernel' : 'ramdisk')
  }
})

test.each([
  ['none', {}, 403, 'AuthFailure', 'Manifest is not accessible'],
  ['garbage', {}, 400, 'InvalidManifest', 'well-formed'],
  ['huge', {}, 400, 'InvalidManifest', '30 GiB'],
  ['sparc', {}, 400, 'UnsupportedOperation', 'Architecture'],
  ['old', {}, 400, 'InvalidAMIID.NotFound', 'eki-01234567'],
  ['disk', { KernelId: 'aki-00000000' }, 400, 'InvalidAMIID.NotFound', 'aki-00000000'],
] as const)('%s %j is refused at once', async (name, more, status, code, words) => {
  const answer = await register(name, more)
  expect([answer.status, answer.code]).toEqual([status, code])
  expect(answer.message).toContain(words)
  expect((await cloud.call('DescribeImages', {}, { as: user })).body).toContain('<imagesSet/>')
})

test('what the request says goes before what the manifest says', async () => {
  const id: string = (await register('arm')).xml.imageId
  expect(await describe(id)).toMatchObject({ architecture: 'arm64', rootDeviceName: '/dev/sda1' })
  const other: string = (await register('sparc', { Architecture: 'i386', RootDeviceName: '/dev/vda' })).xml
    .imageId
  expect(await describe(other)).toMatchObject({ architecture: 'i386', rootDeviceName: '/dev/vda' })
})

test('without an answer from walrus the caller is asked to try again, and nothing is left', async () => {
  await walrus.stop()
  const answer = await register('disk')
  expect([answer.status, answer.code]).toEqual([503, 'Unavailable'])
  expect((await cloud.call('DescribeImages', {}, { as: user })).body).toContain('<imagesSet/>')
})

test('the key that bundles are encrypted for is made once, shown to everybody, and secret but for walrus', async () => {
  const ask = () =>
    cloud.cloud.record.read((db) =>
      db.selectFrom('bundling_key').selectAll().where('name', '=', 'cloud').executeTakeFirstOrThrow(),
    )
  const { certificate, sealed_key } = await ask()
  expect(sealed_key).not.toContain('PRIVATE KEY')
  await cloud.settled()
  const held = await cloud.cloud.record.read((db) => db.selectFrom('desired_item').selectAll().execute())
  expect(JSON.stringify(held)).not.toContain('PRIVATE KEY')
  const item = (await cloud.desired('walrus', walrus.agentId)).bodies.find(
    ({ kind }) => kind === 'bundling-key',
  )!
  const { privateKey } = item.body as { privateKey: string }
  const key = newBundleKey()
  expect(unwrapKey(wrapKey(key, certificate), privateKey)).toEqual(key)
  const node = await cloud.addNode('one')
  expect(JSON.stringify(await cloud.desired('node', node))).not.toContain('PRIVATE KEY')
})
