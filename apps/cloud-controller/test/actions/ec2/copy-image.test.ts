import { afterEach, beforeEach, expect, test } from 'vitest'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let walrus: string
let image: string
let other: Credentials
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  walrus = await cloud.registerAgent('walrus', 'walrus')
  other = await cloud.createAccount('other')
  image = await cloud.plantImage(cloud.admin.accountId)
})
afterEach(() => cloud.stop())

const copy = (parameters: Record<string, string> = {}, as?: Credentials) =>
  cloud.call(
    'CopyImage',
    { Name: 'the copy', SourceImageId: image, SourceRegion: 'us-east-1', ...parameters },
    as ? { as } : {},
  )
const describe = async (id: string) =>
  (await cloud.call('DescribeImages', { 'ImageId.1': id })).xml.imagesSet.item[0]

test('a copy is pending until walrus has made it, in a bucket of its own, and stands without its source', async () => {
  const answer = await copy({ Description: 'again' })
  const id = answer.xml.imageId as string
  await cloud.settled()
  const item = (await cloud.desired('walrus', walrus)).bodies.find((body) => body.id === id)!
  expect(item.body).toMatchObject({
    key: id,
    accountId: cloud.admin.accountId,
    copyOf: { bucket: 'images', key: 'planted.img', sha256: 'a'.repeat(64) },
  })
  const bucket = (item.body as { bucket: string }).bucket
  expect(bucket).toMatch(new RegExp(`^amis-for-${cloud.admin.accountId}-in-us-east-1-[0-9a-f]{12}$`))
  expect(await describe(id)).toMatchObject({
    imageState: 'pending',
    imageLocation: `${bucket}/${id}`,
    sourceImageId: image,
    sourceImageRegion: 'us-east-1',
    description: 'again',
  })
  await cloud.call('DeregisterImage', { ImageId: image })
  const facts = {
    state: 'available' as const,
    message: null,
    format: 'raw' as const,
    sizeBytes: 1024,
    virtualSizeBytes: 1024,
    sha256: 'a'.repeat(64),
    layout: 'disk' as const,
  }
  const fingerprint = { driver: 'posix', totalBytes: 1, freeBytes: 1, healthy: true, problems: [] }
  await cloud.report(
    'walrus',
    walrus,
    [{ kind: 'image-object', id, generation: item.generation, facts }],
    fingerprint,
  )
  await cloud.settled()
  expect((await describe(id)).imageState).toBe('available')
  const after = (await cloud.desired('walrus', walrus)).index.filter(({ kind }) => kind === 'image-object')
  expect(after.map((entry) => [entry.id, entry.digest])).toEqual([[id, item.digest]])
  await cloud.addNode('one')
  expect((await cloud.call('RunInstances', { ImageId: id, MinCount: 1, MaxCount: 1 })).status).toBe(200)
})

test('permissions are not copied, and tags only when asked for', async () => {
  await cloud.call('ModifyImageAttribute', { ImageId: image, 'LaunchPermission.Add.1.Group': 'all' })
  await cloud.call('CreateTags', {
    'ResourceId.1': image,
    'Tag.1.Key': 'a',
    'Tag.1.Value': '1',
    'Tag.2.Key': 'b',
    'Tag.2.Value': '2',
  })
  const plain = (await copy({ Name: 'plain' })).xml.imageId as string
  expect((await describe(plain)).tagSet ?? '').toBe('')
  expect((await describe(plain)).isPublic).toBe('false')
  const tagged = await copy({
    Name: 'tagged',
    CopyImageTags: 'true',
    'TagSpecification.1.ResourceType': 'image',
    'TagSpecification.1.Tag.1.Key': 'b',
    'TagSpecification.1.Tag.1.Value': 'other',
  })
  const tags = (await describe(tagged.xml.imageId)).tagSet.item as { key: string; value: string }[]
  expect(Object.fromEntries(tags.map(({ key, value }) => [key, value]))).toEqual({ a: '1', b: 'other' })
})

test('the same token makes one copy', async () => {
  const first = await copy({ ClientToken: 'once' })
  expect((await copy({ ClientToken: 'once' })).xml.imageId).toBe(first.xml.imageId)
  expect((await copy({ ClientToken: 'once', Name: 'another' })).code).toBe('IdempotentParameterMismatch')
})

test.each<[string, Record<string, string>, string]>([
  ['another region', { SourceRegion: 'eu-west-1' }, 'InvalidParameterValue'],
  ['a name taken', { Name: 'planted' }, 'InvalidAMIName.Duplicate'],
  ['a name too short', { Name: 'x' }, 'InvalidAMIName.Malformed'],
  ['an image that is not there', { SourceImageId: 'ami-00000000000000099' }, 'InvalidAMIID.NotFound'],
  ['a kernel', { SourceImageId: 'aki-00000000000000099' }, 'InvalidAMIID.Malformed'],
  ['encryption', { Encrypted: 'true' }, 'UnsupportedOperation'],
  ['an outpost', { DestinationOutpostArn: 'arn:aws:outposts:x' }, 'UnsupportedOperation'],
  ['a dry run', { DryRun: 'true' }, 'DryRunOperation'],
])('%s is refused', async (_what, parameters, code) => {
  const answer = await copy(parameters)
  expect(answer.code, answer.body).toBe(code)
  const count = await cloud.cloud.record.read((db) => db.selectFrom('image').select('id').execute())
  expect(count.length).toBe(1)
})

test('another account cannot copy what it does not see, nor what it may only launch', async () => {
  expect((await copy({}, other)).code).toBe('InvalidAMIID.NotFound')
  await cloud.call('ModifyImageAttribute', {
    ImageId: image,
    'LaunchPermission.Add.1.UserId': other.accountId,
  })
  const refused = await copy({}, other)
  expect([refused.code, refused.message]).toEqual([
    'InvalidRequest',
    'You do not have permission to access the storage of this ami',
  ])
})

test('a disabled image is not copied', async () => {
  await cloud.call('DisableImage', { ImageId: image })
  expect((await copy()).code).toBe('InvalidAMIID.Unavailable')
})
