import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { SnapshotItem, VolumeItem } from '@mallee/agent-contract'
import { AnsweringStorage } from '../../answering-storage.ts'
import { CloudUnderTest, roomyStorage, type Answer, type Credentials } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let storage: AnsweringStorage
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  storage = await AnsweringStorage.join(cloud, [await cloud.addNode('n1')])
})
afterEach(() => cloud.stop())

type Parameters = Record<string, string | number | boolean>

async function ok(action: string, parameters: Parameters = {}, as?: Credentials): Promise<Answer['xml']> {
  const answer = await cloud.call(action, parameters, as ? { as } : {})
  expect(answer.message, `${action} ${answer.body}`).toBeUndefined()
  return answer.xml
}

const here = { AvailabilityZone: 'us-east-1a' }

async function volume(parameters: Parameters = { Size: 1, Encrypted: true }): Promise<string> {
  const { volumeId } = await ok('CreateVolume', { ...here, ...parameters })
  await storage.settle()
  return volumeId as string
}

async function snapshot(volumeId: string): Promise<string> {
  const { snapshotId } = await ok('CreateSnapshot', { VolumeId: volumeId })
  await storage.settle()
  return snapshotId as string
}

const copyOf = (id: string) => ({ SourceRegion: 'us-east-1', SourceSnapshotId: id })

async function item<K extends 'volume' | 'snapshot'>(kind: K, id: string) {
  const found = (await storage.items(kind)).find((entry) => entry.id === id)
  return found!.body as K extends 'volume' ? VolumeItem : SnapshotItem
}

const described = async (id: string) =>
  (await ok('DescribeVolumes', { 'VolumeId.1': id })).volumeSet.item[0] as Record<string, unknown>
const keyForm = /^arn:aws:kms:us-east-1:\d{12}:key\/[0-9a-f-]{36}$/

describe('an encrypted volume', () => {
  test('has a key of its own that the record does not hold in the clear, and says so', async () => {
    const [one, two] = [await volume(), await volume()]
    const plain = await volume({ Size: 1 })
    expect(await described(one)).toMatchObject({
      encrypted: 'true',
      kmsKeyId: expect.stringMatching(keyForm),
    })
    expect(await described(plain)).toMatchObject({ encrypted: 'false' })
    expect(await described(plain)).not.toHaveProperty('kmsKeyId')
    const [key, other] = [(await item('volume', one)).dataKey!, (await item('volume', two)).dataKey!]
    expect(Buffer.from(key, 'base64').length).toBe(32)
    expect(other).not.toBe(key)
    expect(await item('volume', plain)).not.toHaveProperty('dataKey')
    const rows = await cloud.cloud.record.read(async (db) => [
      ...(await db.selectFrom('volume').selectAll().execute()),
      ...(await db.selectFrom('ebs_encryption').selectAll().execute()),
      ...(await db.selectFrom('desired_item').selectAll().execute()),
    ])
    for (const secret of [key, other]) expect(JSON.stringify(rows)).not.toContain(secret)
    const only = await ok('DescribeVolumes', { 'Filter.1.Name': 'encrypted', 'Filter.1.Value.1': 'true' })
    expect(only.volumeSet.item.map((found: { volumeId: string }) => found.volumeId).toSorted()).toEqual(
      [one, two].toSorted(),
    )
    await ok('DeleteVolume', { VolumeId: one })
    await storage.settle()
    const left = await cloud.cloud.record.read((db) =>
      db.selectFrom('volume').select('id').where('id', '=', one).execute(),
    )
    expect(left).toEqual([])
  })

  test('has encrypted snapshots, of which volumes have its key, and their account the other', async () => {
    const id = await volume()
    const snap = await snapshot(id)
    const [found] = (await ok('DescribeSnapshots', { 'SnapshotId.1': snap })).snapshotSet.item
    expect(found).toMatchObject({ encrypted: 'true', kmsKeyId: expect.stringMatching(keyForm) })
    const { dataKey } = await item('volume', id)
    const taken = await item('snapshot', snap)
    expect(taken.dataKey).toBe(dataKey)
    const again = await volume({ SnapshotId: snap })
    const body = await item('volume', again)
    expect(body.dataKey).toBe(dataKey)
    expect(body.source?.snapshotKey).toEqual(taken.snapshotKey)
    expect(Buffer.from(taken.snapshotKey!.secret, 'base64').length).toBe(32)
    const only = await ok('DescribeSnapshots', { 'Filter.1.Name': 'encrypted', 'Filter.1.Value.1': 'false' })
    expect(only.snapshotSet).toBe('')
  })

  test('is made of a plain snapshot too, and by copies; never the other way', async () => {
    const snap = await snapshot(await volume({ Size: 1 }))
    const id = await volume({ SnapshotId: snap, Encrypted: true })
    const body = await item('volume', id)
    expect(body.dataKey).toBeDefined()
    expect(body.source).not.toHaveProperty('snapshotKey')
    const { snapshotId: copy } = await ok('CopySnapshot', { ...copyOf(snap), Encrypted: true })
    await storage.settle()
    const copied = await item('snapshot', copy)
    expect(copied.snapshotKey).toBeDefined()
    expect(copied).not.toHaveProperty('dataKey')
    const { snapshotId: next } = await ok('CopySnapshot', copyOf(copy))
    await storage.settle()
    expect((await item('snapshot', next)).snapshotKey).toEqual(copied.snapshotKey)
    const of = await item('volume', await volume({ SnapshotId: copy }))
    expect(of.dataKey).toBeDefined()
    expect(of.dataKey).not.toBe(body.dataKey)
    for (const [action, parameters] of [
      ['CreateVolume', { ...here, SnapshotId: copy }],
      ['CopySnapshot', copyOf(copy)],
    ] as const)
      expect((await cloud.call(action, { ...parameters, Encrypted: false })).code).toBe(
        'InvalidParameterCombination',
      )
  })

  test('needs a storage controller that encrypts: others would keep it as a plain one', async () => {
    const snap = await snapshot(await volume({ Size: 1 }))
    const { encrypts: _encrypts, ...old } = roomyStorage
    await cloud.report('storage', storage.storageId, [], old)
    await cloud.settled()
    const copied = await cloud.call('CopySnapshot', { ...copyOf(snap), Encrypted: true })
    const made = await cloud.call('CreateVolume', { ...here, Size: 1, Encrypted: true })
    expect([copied.code, made.code]).toEqual(['InsufficientVolumeCapacity', 'InsufficientVolumeCapacity'])
    await ok('CreateVolume', { ...here, Size: 1 })
  })
})

describe('keys', () => {
  test.each([
    ['without Encrypted', { KmsKeyId: 'alias/aws/ebs' }, 'InvalidParameterDependency'],
    ['not encrypted', { KmsKeyId: 'alias/aws/ebs', Encrypted: false }, 'InvalidParameterDependency'],
    ['an alias of nobody', { KmsKeyId: 'alias/mine', Encrypted: true }, 'InvalidParameterValue'],
    [
      "another account's",
      { KmsKeyId: 'arn:aws:kms:us-east-1:000000000099:alias/aws/ebs', Encrypted: true },
      'InvalidParameterValue',
    ],
  ])('%s is refused', async (_what, parameters, code) => {
    expect((await cloud.call('CreateVolume', { ...here, Size: 1, ...parameters })).code).toBe(code)
    expect(await storage.items('volume')).toEqual([])
  })

  test("the account's own is taken by each of its names, and nobody else's", async () => {
    const arn = (await described(await volume()))['kmsKeyId'] as string
    for (const KmsKeyId of ['alias/aws/ebs', arn, arn.slice(arn.indexOf('/') + 1)])
      expect(await described(await volume({ Size: 1, Encrypted: true, KmsKeyId }))).toMatchObject({
        kmsKeyId: arn,
      })
    const other = await cloud.createAccount('other')
    const answer = await cloud.call(
      'CreateVolume',
      { ...here, Size: 1, Encrypted: true, KmsKeyId: arn },
      { as: other },
    )
    expect(answer.code).toBe('InvalidParameterValue')
  })

  test('the default key is the one that there is', async () => {
    expect(await ok('GetEbsDefaultKmsKeyId')).toMatchObject({ kmsKeyId: 'alias/aws/ebs' })
    expect(await ok('ResetEbsDefaultKmsKeyId')).toMatchObject({ kmsKeyId: 'alias/aws/ebs' })
    await ok('ModifyEbsDefaultKmsKeyId', { KmsKeyId: 'alias/aws/ebs' })
    const answer = await cloud.call('ModifyEbsDefaultKmsKeyId', { KmsKeyId: 'alias/mine' })
    expect(answer.code).toBe('InvalidParameterValue')
  })
})

test('by default, everything new of the account is encrypted, and of nobody else', async () => {
  const snap = await snapshot(await volume({ Size: 1 }))
  const other = await cloud.createAccount('other')
  expect(await ok('GetEbsEncryptionByDefault')).toMatchObject({ ebsEncryptionByDefault: 'false' })
  expect(await ok('EnableEbsEncryptionByDefault')).toMatchObject({ ebsEncryptionByDefault: 'true' })
  expect(await ok('GetEbsEncryptionByDefault')).toMatchObject({ ebsEncryptionByDefault: 'true' })
  expect(await ok('GetEbsEncryptionByDefault', {}, other)).toMatchObject({ ebsEncryptionByDefault: 'false' })
  for (const parameters of [{ Size: 1 }, { Size: 1, Encrypted: false }, { SnapshotId: snap }])
    expect(await described(await volume(parameters))).toMatchObject({ encrypted: 'true' })
  const { snapshotId: copy } = await ok('CopySnapshot', copyOf(snap))
  await storage.settle()
  expect((await item('snapshot', copy)).snapshotKey).toBeDefined()
  const theirs = await ok('CreateVolume', { ...here, Size: 1 }, other)
  expect(theirs).toMatchObject({ encrypted: 'false' })
  await ok('DisableEbsEncryptionByDefault')
  expect(await described(await volume({ Size: 1 }))).toMatchObject({ encrypted: 'false' })
})

describe('images and instances', () => {
  const mapped = (snapshotId: string) => ({
    RootDeviceName: '/dev/sda1',
    'BlockDeviceMapping.1.DeviceName': '/dev/sda1',
    'BlockDeviceMapping.1.Ebs.SnapshotId': snapshotId,
  })
  const launch = async (imageId: string, parameters: Parameters = {}) => {
    const xml = await ok('RunInstances', { ImageId: imageId, MinCount: 1, MaxCount: 1, ...parameters })
    await storage.settle()
    const id = xml.instancesSet.item[0].instanceId as string
    const found = await ok('DescribeVolumes', {
      'Filter.1.Name': 'attachment.instance-id',
      'Filter.1.Value.1': id,
    })
    return { id, volumes: found.volumeSet.item as { encrypted: string; attachmentSet: unknown }[] }
  }
  const encryptedOf = async (imageId: string) => {
    const [image] = (await ok('DescribeImages', { 'ImageId.1': imageId })).imagesSet.item
    return image.blockDeviceMapping.item.map((device: { ebs: { encrypted: string } }) => device.ebs.encrypted)
  }

  test('of a plain snapshot a launch may ask for an encrypted root, and its image then is of an encrypted one', async () => {
    const snap = await snapshot(await volume({ Size: 1 }))
    const { imageId } = await ok('RegisterImage', {
      ...{ Name: 'plain', ...mapped(snap) },
      'BlockDeviceMapping.2.DeviceName': '/dev/sdb',
      'BlockDeviceMapping.2.Ebs.VolumeSize': 1,
      'BlockDeviceMapping.2.Ebs.Encrypted': true,
    })
    expect(await encryptedOf(imageId)).toEqual(['false', 'true'])
    const asIs = await launch(imageId)
    expect(asIs.volumes.map(({ encrypted }) => encrypted).toSorted()).toEqual(['false', 'true'])
    const { id, volumes } = await launch(imageId, {
      'BlockDeviceMapping.1.DeviceName': '/dev/sda1',
      'BlockDeviceMapping.1.Ebs.Encrypted': true,
      'BlockDeviceMapping.1.Ebs.KmsKeyId': 'alias/aws/ebs',
    })
    expect(volumes.map(({ encrypted }) => encrypted)).toEqual(['true', 'true'])
    const { imageId: made } = await ok('CreateImage', { InstanceId: id, Name: 'made', NoReboot: true })
    await storage.settle()
    expect(await encryptedOf(made)).toEqual(['true', 'true'])
    const found = await ok('DescribeImages', {
      'Filter.1.Name': 'block-device-mapping.encrypted',
      'Filter.1.Value.1': 'true',
    })
    expect(found.imagesSet.item.length).toBe(2)
  })

  test('a template may ask for it', async () => {
    const snap = await snapshot(await volume({ Size: 1 }))
    const { imageId } = await ok('RegisterImage', { Name: 'plain', ...mapped(snap) })
    await ok('CreateLaunchTemplate', {
      LaunchTemplateName: 'sealed',
      'LaunchTemplateData.BlockDeviceMapping.1.DeviceName': '/dev/sda1',
      'LaunchTemplateData.BlockDeviceMapping.1.Ebs.Encrypted': true,
    })
    const { volumes } = await launch(imageId, { 'LaunchTemplate.LaunchTemplateName': 'sealed' })
    expect(volumes.map(({ encrypted }) => encrypted)).toEqual(['true'])
  })

  test('a registration may not say of a snapshot whether it is encrypted', async () => {
    const snap = await snapshot(await volume({ Size: 1 }))
    for (const value of [true, false]) {
      const answer = await cloud.call('RegisterImage', {
        ...{ Name: 'sealed', ...mapped(snap) },
        'BlockDeviceMapping.1.Ebs.Encrypted': value,
      })
      expect(answer.code).toBe('InvalidBlockDeviceMapping')
    }
    const key = { 'BlockDeviceMapping.1.Ebs.KmsKeyId': 'alias/aws/ebs' }
    const named = await cloud.call('RegisterImage', { Name: 'sealed', ...mapped(snap), ...key })
    expect(named.code).toBe('UnsupportedOperation')
  })

  test('a copy of an image may be encrypted; one of an object may not', async () => {
    const snap = await snapshot(await volume({ Size: 1 }))
    const { imageId } = await ok('RegisterImage', { Name: 'plain', ...mapped(snap) })
    const copy = { SourceRegion: 'us-east-1', SourceImageId: imageId, Name: 'copy' }
    const { imageId: copied } = await ok('CopyImage', { ...copy, Encrypted: true })
    await storage.settle()
    expect(await encryptedOf(copied)).toEqual(['true'])
    const object = await cloud.plantImage(cloud.admin.accountId)
    const refused = await cloud.call('CopyImage', {
      ...{ ...copy, SourceImageId: object, Name: 'another' },
      Encrypted: true,
    })
    expect(refused.code).toBe('UnsupportedOperation')
  })

  test('what is encrypted is shared with nobody, and may be taken back', async () => {
    const friend = await cloud.createAccount('friend')
    const snap = await snapshot(await volume())
    const { imageId } = await ok('RegisterImage', { Name: 'sealed', ...mapped(snap) })
    expect(await encryptedOf(imageId)).toEqual(['true'])
    for (const permission of [{ UserId: friend.accountId }, { Group: 'all' }]) {
      const [[kind, value]] = Object.entries(permission) as [[string, string]]
      const shared = await cloud.call('ModifySnapshotAttribute', {
        SnapshotId: snap,
        [`CreateVolumePermission.Add.1.${kind}`]: value,
      })
      expect([shared.code, shared.message]).toEqual([
        'OperationNotPermitted',
        'Encrypted snapshots with EBS default key cannot be shared',
      ])
      const launched = await cloud.call('ModifyImageAttribute', {
        ImageId: imageId,
        [`LaunchPermission.Add.1.${kind}`]: value,
      })
      expect(launched.code).toBe('InvalidParameter')
    }
    await ok('ModifySnapshotAttribute', {
      SnapshotId: snap,
      'CreateVolumePermission.Remove.1.UserId': friend.accountId,
    })
    expect((await cloud.call('CreateVolume', { ...here, SnapshotId: snap }, { as: friend })).code).toBe(
      'InvalidSnapshot.NotFound',
    )
  })
})
