import { afterEach, beforeEach, expect, test } from 'vitest'
import { CloudUnderTest } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let walrus: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  walrus = await cloud.registerAgent('walrus', 'walrus')
})
afterEach(() => cloud.stop())

const fingerprint = { driver: 'posix', totalBytes: 1, freeBytes: 1, healthy: true, problems: [] }
const facts = {
  state: 'available' as const,
  message: null,
  format: 'qcow2' as const,
  sizeBytes: 10,
  virtualSizeBytes: 20,
  sha256: 'b'.repeat(64),
}

async function register(parameters: Record<string, string> = {}): Promise<string> {
  const answer = await cloud.call('RegisterImage', {
    Name: 'disk one',
    ImageLocation: 'bucket/disk.img',
    ...parameters,
  })
  await cloud.settled()
  return answer.xml.imageId as string
}
const state = async (id: string) =>
  (await cloud.call('DescribeImages', { 'ImageId.1': id })).xml.imagesSet.item[0]

test('an object is pending until walrus has read it, then available', async () => {
  const id = await register()
  expect((await state(id)).imageState).toBe('pending')
  const set = await cloud.desired('walrus', walrus)
  expect(set.bodies.find((item) => item.id === id)?.body).toMatchObject({
    bucket: 'bucket',
    key: 'disk.img',
    kind: 'machine',
    accountId: cloud.admin.accountId,
  })
  expect((await cloud.call('RunInstances', { ImageId: id, MinCount: 1, MaxCount: 1 })).code).toBe(
    'InvalidAMIID.Unavailable',
  )
  await cloud.report('walrus', walrus, [{ kind: 'image-object', id, generation: 1, facts }], fingerprint)
  expect((await state(id)).imageState).toBe('available')
})

test('an object that is no disk fails with its reason', async () => {
  const id = await register()
  const refused = {
    ...facts,
    state: 'failed' as const,
    message: 'The object is not a disk.',
    format: null,
    sizeBytes: null,
    virtualSizeBytes: null,
    sha256: null,
  }
  await cloud.report(
    'walrus',
    walrus,
    [{ kind: 'image-object', id, generation: 1, facts: refused }],
    fingerprint,
  )
  const image = await state(id)
  expect(image.imageState).toBe('failed')
  expect(image.stateReason.message).toBe('The object is not a disk.')
})

test('a node cannot speak of images, nor walrus in another shape', async () => {
  const id = await register()
  const node = await cloud.addNode('one')
  await cloud.report('node', node, [{ kind: 'image-object', id, generation: 1, facts }])
  await cloud.report(
    'walrus',
    walrus,
    [{ kind: 'image-object', id, generation: 1, facts: { ...facts, format: 'vmdk' } as never }],
    fingerprint,
  )
  expect((await state(id)).imageState).toBe('pending')
})

test('deregistered is gone for launches and for walrus once nothing uses it', async () => {
  const id = await register()
  await cloud.report('walrus', walrus, [{ kind: 'image-object', id, generation: 1, facts }], fingerprint)
  expect((await cloud.call('DeregisterImage', { ImageId: id })).status).toBe(200)
  await cloud.settled()
  expect((await cloud.call('RunInstances', { ImageId: id, MinCount: 1, MaxCount: 1 })).code).toBe(
    'InvalidAMIID.NotFound',
  )
  expect(
    (await cloud.desired('walrus', walrus)).index.filter((item) => item.kind === 'image-object'),
  ).toEqual([])
})

test.each([
  ['a name taken', { Name: 'disk one' }, 'InvalidAMIName.Duplicate'],
  ['a name too short', { Name: 'x' }, 'InvalidAMIName.Malformed'],
  ['no location', { ImageLocation: '' }, 'InvalidParameterValue'],
  ['a location without key', { ImageLocation: 'bucket' }, 'InvalidParameterValue'],
  ['paravirtual', { VirtualizationType: 'paravirtual' }, 'UnsupportedOperation'],
  [
    'a snapshot beside an object',
    {
      'BlockDeviceMapping.1.DeviceName': '/dev/sda1',
      'BlockDeviceMapping.1.Ebs.SnapshotId': 'snap-00000000000000001',
    },
    'InvalidParameterCombination',
  ],
  ['an unknown kernel', { KernelId: 'aki-00000000000000001' }, 'InvalidAMIID.NotFound'],
])('%s is refused', async (_what, parameters, code) => {
  await register()
  const answer = await cloud.call('RegisterImage', {
    Name: 'another',
    ImageLocation: 'bucket/key',
    ...parameters,
  } as Record<string, string>)
  expect(answer.code, answer.body).toBe(code)
})

test('walrus gets the access keys, and knows at once when an account is made', async () => {
  const account = await cloud.createAccount('other')
  await cloud.settled()
  const keys = (await cloud.desired('walrus', walrus)).bodies.filter((item) => item.kind === 'access-key')
  expect(keys.map((item) => item.id)).toContain(account.accessKeyId)
})

test('the record holds no secret in the clear, and walrus gets it all the same', async () => {
  await cloud.settled()
  const { secretAccessKey, accessKeyId } = cloud.admin
  const items = await cloud.cloud.record.read((db) => db.selectFrom('desired_item').selectAll().execute())
  const keys = await cloud.cloud.record.read((db) => db.selectFrom('access_key').selectAll().execute())
  expect(items.some((item) => item.id === accessKeyId)).toBe(true)
  expect(JSON.stringify([items, keys])).not.toContain(secretAccessKey)
  const sent = (await cloud.desired('walrus', walrus)).bodies.find((item) => item.id === accessKeyId)
  expect(sent?.body).toMatchObject({ secretAccessKey })
})
