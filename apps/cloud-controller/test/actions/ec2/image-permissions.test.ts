import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let other: Credentials
let third: Credentials
let image: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  await cloud.addNode('one')
  other = await cloud.createAccount('other')
  third = await cloud.createAccount('third')
  image = await cloud.plantImage(cloud.admin.accountId)
})
afterEach(() => cloud.stop())

const modify = (parameters: Record<string, string>, as?: Credentials) =>
  cloud.call('ModifyImageAttribute', { ImageId: image, ...parameters }, as ? { as } : {})
const permissions = async () =>
  (
    (await cloud.call('DescribeImageAttribute', { ImageId: image, Attribute: 'launchPermission' })).xml
      .launchPermission.item ?? []
  ).map((entry: { userId?: string; group?: string }) => entry.userId ?? entry.group) as string[]
const seenBy = async (as: Credentials, parameters: Record<string, string> = {}) =>
  ((await cloud.call('DescribeImages', parameters, { as })).xml.imagesSet?.item ?? []).map(
    (entry: { imageId: string }) => entry.imageId,
  ) as string[]
const launch = (as: Credentials, id = image) =>
  cloud.call('RunInstances', { ImageId: id, MinCount: 1, MaxCount: 1, InstanceType: 't3.micro' }, { as })

const spellings: [string, (verb: 'Add' | 'Remove') => Record<string, string>][] = [
  ['today’s spelling', (verb) => ({ [`LaunchPermission.${verb}.1.UserId`]: other.accountId })],
  [
    'the first clients’ spelling',
    (verb) => ({
      Attribute: 'launchPermission',
      OperationType: verb.toLowerCase(),
      'UserId.1': other.accountId,
    }),
  ],
]

describe.each(spellings)('in %s', (_name, spelt) => {
  test('a permission lets one account launch, and none when it is taken away; what runs goes on', async () => {
    expect(await seenBy(other)).toEqual([])
    expect((await launch(other)).code).toBe('InvalidAMIID.NotFound')
    expect((await modify(spelt('Add'))).status).toBe(200)
    expect(await permissions()).toEqual([other.accountId])
    expect(await seenBy(other)).toEqual([image])
    expect(await seenBy(other, { 'ExecutableBy.1': 'self' })).toEqual([image])
    expect(await seenBy(third)).toEqual([])
    const run = await launch(other)
    expect(run.status, run.body).toBe(200)

    expect((await modify(spelt('Remove'))).status).toBe(200)
    expect(await permissions()).toEqual([])
    const refused = await launch(other)
    const unknown = await launch(other, 'ami-00000000000000099')
    expect([refused.code, refused.message]).toEqual([
      unknown.code,
      unknown.message!.replace('ami-00000000000000099', image),
    ])
    expect((await cloud.call('DescribeImages', { 'ImageId.1': image }, { as: other })).code).toBe(
      'InvalidAMIID.NotFound',
    )
    const instances = await cloud.call('DescribeInstances', {}, { as: other })
    expect(instances.body).toContain('<name>pending</name>')
  })
})

test('the group of all makes it public, and a reset private again', async () => {
  await modify({ 'LaunchPermission.Add.1.Group': 'all', 'LaunchPermission.Add.2.UserId': other.accountId })
  expect(await permissions()).toEqual(['all', other.accountId])
  expect(await seenBy(third, { 'ExecutableBy.1': 'all' })).toEqual([image])
  expect(await seenBy(third, { 'ExecutableBy.1': 'self' })).toEqual([])
  expect(await seenBy(cloud.admin, { 'ExecutableBy.1': other.accountId })).toEqual([image])
  expect(await seenBy(third, { 'ExecutableBy.1': other.accountId })).toEqual([])
  expect((await launch(third)).status).toBe(200)
  await cloud.call('ResetImageAttribute', { ImageId: image, Attribute: 'launchPermission' })
  expect(await permissions()).toEqual([])
  expect((await launch(third)).code).toBe('InvalidAMIID.NotFound')
})

test('the old spelling of a group, and of the description in both', async () => {
  await modify({ Attribute: 'launchPermission', OperationType: 'add', 'UserGroup.1': 'all' })
  expect(await permissions()).toEqual(['all'])
  await modify({ Attribute: 'launchPermission', OperationType: 'remove', 'UserGroup.1': 'all' })
  expect(await permissions()).toEqual([])
  const description = async () =>
    (await cloud.call('DescribeImageAttribute', { ImageId: image, Attribute: 'description' })).xml.description
  await modify({ 'Description.Value': 'first' })
  expect((await description()).value).toBe('first')
  await modify({ Attribute: 'description', Value: 'second' })
  expect((await description()).value).toBe('second')
})

test.each([
  ['kernel', 'kernel'],
  ['ramdisk', 'ramdisk'],
  ['productCodes', 'productCodes'],
  ['blockDeviceMapping', 'blockDeviceMapping'],
  ['sriovNetSupport', 'sriovNetSupport'],
])('the attribute %s is described, empty as it is', async (Attribute, element) => {
  const answer = await cloud.call('DescribeImageAttribute', { ImageId: image, Attribute })
  expect(answer.status, answer.body).toBe(200)
  expect(answer.xml).toMatchObject({ imageId: image, [element]: '' })
})

test.each<[string, Record<string, string>, string]>([
  ['nothing', {}, 'InvalidParameterCombination'],
  [
    'two at once',
    { 'Description.Value': 'a', 'LaunchPermission.Add.1.Group': 'all' },
    'InvalidParameterCombination',
  ],
  [
    'no account’s number',
    { 'LaunchPermission.Add.1.UserId': '1234-5678-9012' },
    'InvalidAMIAttributeItemValue',
  ],
  [
    'an account that is not there',
    { 'LaunchPermission.Add.1.UserId': '999999999999' },
    'InvalidAMIAttributeItemValue',
  ],
  [
    'a group that is none',
    { Attribute: 'launchPermission', OperationType: 'add', 'UserGroup.1': 'everyone' },
    'InvalidAMIAttributeItemValue',
  ],
  [
    'an operation without its attribute',
    { OperationType: 'add', 'UserId.1': '999999999999' },
    'MissingParameter',
  ],
  ['an attribute without its operation', { Attribute: 'launchPermission' }, 'MissingParameter'],
  ['product codes', { 'ProductCode.1': 'x' }, 'UnsupportedOperation'],
  [
    'organizations',
    { 'LaunchPermission.Add.1.OrganizationArn': 'arn:aws:organizations::1:x' },
    'UnsupportedOperation',
  ],
  ['a dry run', { 'Description.Value': 'a', DryRun: 'true' }, 'DryRunOperation'],
])('%s is refused and changes nothing', async (_what, parameters, code) => {
  const answer = await modify(parameters)
  expect(answer.code, answer.body).toBe(code)
  expect(await permissions()).toEqual([])
  expect((await cloud.call('DescribeImages', { 'ImageId.1': image })).body).not.toContain('<description>')
})

const ownerOnly: [string, Record<string, string>][] = [
  ['ModifyImageAttribute', { 'Description.Value': 'mine' }],
  ['DescribeImageAttribute', { Attribute: 'launchPermission' }],
  ['ResetImageAttribute', { Attribute: 'launchPermission' }],
  ['DeregisterImage', {}],
  ['EnableImage', {}],
  ['DisableImage', {}],
  ['EnableImageDeprecation', { DeprecateAt: '2031-01-01T00:00:00Z' }],
  ['DisableImageDeprecation', {}],
]
test.each(ownerOnly)('%s is the owner’s alone', async (action, parameters) => {
  const hidden = await cloud.call(action, { ImageId: image, ...parameters }, { as: other })
  expect(hidden.code).toBe('InvalidAMIID.NotFound')
  const guessed = await cloud.call(action, { ImageId: 'ami-00000000000000099', ...parameters }, { as: other })
  expect(guessed.code).toBe('InvalidAMIID.NotFound')
  await modify({ 'LaunchPermission.Add.1.UserId': other.accountId })
  const visible = await cloud.call(action, { ImageId: image, ...parameters }, { as: other })
  expect([visible.code, visible.message]).toEqual(['AuthFailure', `Not authorized for image:${image}`])
  expect(await permissions()).toEqual([other.accountId])
})

test('a disabled image is launched by nobody, is shown on request, and has lost its permissions', async () => {
  await modify({ 'LaunchPermission.Add.1.UserId': other.accountId })
  expect((await cloud.call('DisableImage', { ImageId: image })).xml.return).toBe('true')
  expect((await launch(cloud.admin)).code).toBe('InvalidAMIID.Unavailable')
  expect((await launch(other)).code).toBe('InvalidAMIID.NotFound')
  expect(await seenBy(cloud.admin)).toEqual([])
  expect(await seenBy(cloud.admin, { IncludeDisabled: 'true' })).toEqual([image])
  const byId = await cloud.call('DescribeImages', { 'ImageId.1': image })
  expect(byId.xml.imagesSet.item[0].imageState).toBe('disabled')
  const filter = { 'Filter.1.Name': 'state', 'Filter.1.Value.1': 'disabled' }
  expect((await cloud.call('DescribeImages', filter)).code).toBe('InvalidParameter')
  expect(await seenBy(cloud.admin, { ...filter, IncludeDisabled: 'true' })).toEqual([image])
  expect((await modify({ 'LaunchPermission.Add.1.Group': 'all' })).code).toBe('InvalidAMIID.Unavailable')
  await cloud.call('EnableImage', { ImageId: image })
  expect((await launch(cloud.admin)).status).toBe(200)
  expect(await permissions()).toEqual([])
})

test('a deprecated image is found by its owner, by its id, and on request', async () => {
  await modify({ 'LaunchPermission.Add.1.UserId': other.accountId })
  const inAnHour = new Date(Date.now() + 3_600_000).toISOString()
  expect((await cloud.call('EnableImageDeprecation', { ImageId: image, DeprecateAt: inAnHour })).status).toBe(
    200,
  )
  expect(await seenBy(other)).toEqual([image])
  const now = new Date().toISOString()
  await cloud.call('EnableImageDeprecation', { ImageId: image, DeprecateAt: now })
  await cloud.cloud.record.transaction('action', async (tx) => {
    await tx.db.updateTable('image').set({ deprecated_at: 60_000 }).where('id', '=', image).execute()
  })
  expect(await seenBy(other)).toEqual([])
  expect(await seenBy(other, { IncludeDeprecated: 'true' })).toEqual([image])
  expect(await seenBy(other, { 'ImageId.1': image })).toEqual([image])
  expect(await seenBy(cloud.admin)).toEqual([image])
  expect((await launch(other)).status).toBe(200)
  const described = await cloud.call('DescribeImages', {})
  expect(described.xml.imagesSet.item[0].deprecationTime).toBe('1970-01-01T00:01:00.000Z')
  await cloud.call('DisableImageDeprecation', { ImageId: image })
  expect(await seenBy(other)).toEqual([image])
  for (const DeprecateAt of ['2001-01-01T00:00:00Z', '2101-01-01T00:00:00Z'])
    expect((await cloud.call('EnableImageDeprecation', { ImageId: image, DeprecateAt })).code).toBe(
      'InvalidParameterValue',
    )
})

test('owners are accounts, self, or names that own nothing here', async () => {
  await modify({ 'LaunchPermission.Add.1.Group': 'all' })
  expect(await seenBy(other, { 'Owner.1': 'self' })).toEqual([])
  expect(await seenBy(other, { 'Owner.1': 'self', 'Owner.2': cloud.admin.accountId })).toEqual([image])
  expect(await seenBy(other, { 'Owner.1': 'amazon' })).toEqual([])
  expect((await cloud.call('DescribeImages', { 'Owner.1': 'nobody' })).code).toBe('InvalidUserID.Malformed')
  expect((await cloud.call('DescribeImages', { 'ExecutableBy.1': 'x' })).code).toBe('InvalidUserID.Malformed')
})

test('verbose shows the cloud’s admin every account’s images, and nobody else', async () => {
  await cloud.plantImage(other.accountId, 'ami-0123456789abcdef1')
  expect(await seenBy(cloud.admin)).toEqual([image])
  expect(await seenBy(cloud.admin, { 'ImageId.1': 'verbose' })).toEqual([image, 'ami-0123456789abcdef1'])
  expect((await cloud.call('DescribeImages', { 'ImageId.1': 'verbose' }, { as: other })).code).toBe(
    'InvalidAMIID.Malformed',
  )
})

test('an id with Eucalyptus’ prefix is the same image', async () => {
  expect(await seenBy(cloud.admin, { 'ImageId.1': image.replace('ami-', 'emi-') })).toEqual([image])
})
