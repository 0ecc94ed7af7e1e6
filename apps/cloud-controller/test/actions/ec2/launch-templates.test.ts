import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CloudUnderTest } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let image: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  image = await cloud.plantImage(cloud.admin.accountId)
})
afterEach(() => cloud.stop())

type Parameters = Record<string, string | number | boolean>

async function create(name: string, data: Parameters, more: Parameters = {}): Promise<string> {
  const answer = await cloud.call('CreateLaunchTemplate', {
    LaunchTemplateName: name,
    ...dataOf(data),
    ...more,
  })
  expect(answer.message).toBeUndefined()
  return answer.xml.launchTemplate.launchTemplateId as string
}

function dataOf(data: Parameters): Parameters {
  return Object.fromEntries(
    Object.entries(data).map(([member, value]) => [`LaunchTemplateData.${member}`, value]),
  )
}

async function version(id: string, data: Parameters, more: Parameters = {}) {
  const answer = await cloud.call('CreateLaunchTemplateVersion', {
    LaunchTemplateId: id,
    ...dataOf(data),
    ...more,
  })
  expect(answer.message).toBeUndefined()
  return answer.xml.launchTemplateVersion
}

async function numbers(parameters: Parameters): Promise<string[]> {
  const answer = await cloud.call('DescribeLaunchTemplateVersions', parameters)
  expect(answer.message).toBeUndefined()
  const items = answer.xml.launchTemplateVersionSet.item ?? []
  return items.map((item: { launchTemplateName: string; versionNumber: string }) =>
    [item.launchTemplateName, item.versionNumber].join(' '),
  )
}

async function launch(parameters: Parameters) {
  const answer = await cloud.call('RunInstances', { MinCount: 1, MaxCount: 1, ...parameters })
  expect(answer.message).toBeUndefined()
  return answer.xml.instancesSet.item[0]
}

describe('templates', () => {
  test('what Terraform reads is what was written', async () => {
    const answer = await cloud.call('CreateLaunchTemplate', {
      LaunchTemplateName: 'web',
      VersionDescription: 'first',
      ...dataOf({
        ImageId: image,
        InstanceType: 't3.micro',
        UserData: 'aGVsbG8=',
        EbsOptimized: false,
        'Monitoring.Enabled': true,
        'Placement.AvailabilityZone': 'us-east-1a',
        'SecurityGroupId.1': 'sg-00000000000000001',
        'MetadataOptions.HttpTokens': 'required',
        'NetworkInterface.1.AssociatePublicIpAddress': false,
        'NetworkInterface.1.DeviceIndex': 0,
        'TagSpecification.1.ResourceType': 'instance',
        'TagSpecification.1.Tag.1.Key': 'tier',
        'TagSpecification.1.Tag.1.Value': 'web',
      }),
      'TagSpecification.1.ResourceType': 'launch-template',
      'TagSpecification.1.Tag.1.Key': 'owner',
      'TagSpecification.1.Tag.1.Value': 'ops',
    })
    const made = answer.xml.launchTemplate
    expect(made).toMatchObject({
      launchTemplateName: 'web',
      defaultVersionNumber: '1',
      latestVersionNumber: '1',
      createdBy: `arn:aws:iam::${cloud.admin.accountId}:root`,
      tagSet: { item: [{ key: 'owner', value: 'ops' }] },
    })
    expect(made.launchTemplateId).toMatch(/^lt-[0-9a-f]{17}$/)
    const listed = await cloud.call('DescribeLaunchTemplates', {
      'LaunchTemplateId.1': made.launchTemplateId as string,
    })
    expect(listed.xml.launchTemplates.item).toEqual([made])
    const versions = await cloud.call('DescribeLaunchTemplateVersions', {
      LaunchTemplateId: made.launchTemplateId as string,
      'LaunchTemplateVersion.1': 1,
    })
    const [one] = versions.xml.launchTemplateVersionSet.item
    expect(one).toMatchObject({ versionDescription: 'first', defaultVersion: 'true', versionNumber: '1' })
    expect(one.launchTemplateData).toMatchObject({
      imageId: image,
      instanceType: 't3.micro',
      userData: 'aGVsbG8=',
      ebsOptimized: 'false',
      monitoring: { enabled: 'true' },
      placement: { availabilityZone: 'us-east-1a' },
      securityGroupIdSet: { item: ['sg-00000000000000001'] },
      metadataOptions: { httpTokens: 'required' },
      networkInterfaceSet: { item: [{ associatePublicIpAddress: 'false', deviceIndex: '0' }] },
      tagSpecificationSet: {
        item: [{ resourceType: 'instance', tagSet: { item: [{ key: 'tier', value: 'web' }] } }],
      },
    })
  })

  test('pages, filters, names and ids', async () => {
    for (const name of ['one', 'two', 'three']) await create(name, { InstanceType: 'm1.small' })
    const first = await cloud.call('DescribeLaunchTemplates', { MaxResults: 2 })
    expect(first.xml.launchTemplates.item.length).toBe(2)
    const second = await cloud.call('DescribeLaunchTemplates', {
      MaxResults: 2,
      NextToken: first.xml.nextToken as string,
    })
    expect(second.xml.launchTemplates.item.length).toBe(1)
    expect(second.xml.nextToken).toBeUndefined()
    expect((await cloud.call('DescribeLaunchTemplates', { MaxResults: 201 })).code).toBe(
      'InvalidParameterValue',
    )
    const filtered = await cloud.call('DescribeLaunchTemplates', {
      'Filter.1.Name': 'launch-template-name',
      'Filter.1.Value.1': 't*',
    })
    expect(filtered.xml.launchTemplates.item.length).toBe(2)
    const named = await cloud.call('DescribeLaunchTemplates', { 'LaunchTemplateName.1': 'one' })
    expect(named.xml.launchTemplates.item.length).toBe(1)
  })

  test('a token makes one template, and other arguments with it none', async () => {
    const id = await create('once', { InstanceType: 'm1.small' }, { ClientToken: 't' })
    expect(await create('once', { InstanceType: 'm1.small' }, { ClientToken: 't' })).toBe(id)
    const other = await cloud.call('CreateLaunchTemplate', {
      LaunchTemplateName: 'once',
      ...dataOf({ InstanceType: 'm1.large' }),
      ClientToken: 't',
    })
    expect(other.code).toBe('IdempotentParameterMismatch')
  })

  test('another account has neither it nor its name', async () => {
    const id = await create('mine', { InstanceType: 'm1.small' })
    const other = await cloud.createAccount('other')
    for (const [action, parameters, code] of [
      ['DescribeLaunchTemplates', { 'LaunchTemplateId.1': id }, 'InvalidLaunchTemplateId.NotFound'],
      [
        'DescribeLaunchTemplates',
        { 'LaunchTemplateName.1': 'mine' },
        'InvalidLaunchTemplateName.NotFoundException',
      ],
      ['DescribeLaunchTemplateVersions', { LaunchTemplateId: id }, 'InvalidLaunchTemplateId.NotFound'],
      ['DeleteLaunchTemplate', { LaunchTemplateId: id }, 'InvalidLaunchTemplateId.NotFound'],
      [
        'RunInstances',
        { MinCount: 1, MaxCount: 1, 'LaunchTemplate.LaunchTemplateName': 'mine' },
        'InvalidLaunchTemplateName.NotFoundException',
      ],
    ] as const)
      expect((await cloud.call(action, parameters, { as: other })).code, action).toBe(code)
    const same = await cloud.call(
      'CreateLaunchTemplate',
      { LaunchTemplateName: 'mine', ...dataOf({ InstanceType: 'm1.small' }) },
      { as: other },
    )
    expect(same.status).toBe(200)
  })

  test.each([
    ['a name of two letters', { LaunchTemplateName: 'ab' }, 'InvalidLaunchTemplateName.MalformedException'],
    ['a name with a blank', { LaunchTemplateName: 'a b c' }, 'InvalidLaunchTemplateName.MalformedException'],
    [
      'a name that is taken',
      { LaunchTemplateName: 'taken' },
      'InvalidLaunchTemplateName.AlreadyExistsException',
    ],
    ['a dry run', { DryRun: true }, 'DryRunOperation'],
    ['another tenancy', dataOf({ 'Placement.Tenancy': 'dedicated' }), 'UnsupportedOperation'],
    ['EBS optimisation', dataOf({ EbsOptimized: true }), 'UnsupportedOperation'],
    [
      'tags of what a launch does not make',
      dataOf({ 'TagSpecification.1.ResourceType': 'vpc', 'TagSpecification.1.Tag.1.Key': 'k' }),
      'InvalidParameterValue',
    ],
    [
      "AWS's tags",
      dataOf({ 'TagSpecification.1.ResourceType': 'instance', 'TagSpecification.1.Tag.1.Key': 'aws:k' }),
      'InvalidParameterValue',
    ],
  ])('%s is refused', async (_what, parameters, code) => {
    await create('taken', { InstanceType: 'm1.small' })
    const answer = await cloud.call('CreateLaunchTemplate', {
      LaunchTemplateName: 'new',
      ...dataOf({ InstanceType: 'm1.small' }),
      ...parameters,
    })
    expect(answer.code).toBe(code)
    expect((await cloud.call('DescribeLaunchTemplates')).xml.launchTemplates.item.length).toBe(1)
  })

  test('no data at all, and the quota', async () => {
    expect((await cloud.call('CreateLaunchTemplate', { LaunchTemplateName: 'new' })).code).toBe(
      'MissingParameter',
    )
    await cloud.cloud.record.transaction('action', async (tx) => {
      await tx.db.updateTable('quota').set({ value: 1 }).where('name', 'like', '%launch-template%').execute()
    })
    const id = await create('one', { InstanceType: 'm1.small' })
    const second = { LaunchTemplateName: 'two', ...dataOf({ InstanceType: 'm1.small' }) }
    expect((await cloud.call('CreateLaunchTemplate', second)).code).toBe('ResourceLimitExceeded')
    const more = { LaunchTemplateId: id, ...dataOf({ InstanceType: 'm1.small' }) }
    expect((await cloud.call('CreateLaunchTemplateVersion', more)).code).toBe('ResourceLimitExceeded')
  })
})

describe('versions', () => {
  let id: string
  beforeEach(async () => {
    id = await create('web', { InstanceType: 't3.micro', ImageId: image, 'Monitoring.Enabled': true })
  })

  test('a version takes over what its source says and it does not', async () => {
    const second = await version(
      id,
      { InstanceType: 'm1.large' },
      { SourceVersion: '1', VersionDescription: 'b' },
    )
    expect(second).toMatchObject({ versionNumber: '2', defaultVersion: 'false', versionDescription: 'b' })
    expect(second.launchTemplateData).toEqual({
      imageId: image,
      instanceType: 'm1.large',
      monitoring: { enabled: 'true' },
    })
    const third = await version(id, { InstanceType: 'm1.xlarge' })
    expect(third.launchTemplateData).toEqual({ instanceType: 'm1.xlarge' })
  })

  test('by number, by $Latest and $Default, between two, of all templates, by page and filter', async () => {
    await version(id, { InstanceType: 'm1.large' })
    await version(id, { InstanceType: 'm1.large', 'MetadataOptions.HttpTokens': 'required' })
    await create('aside', { InstanceType: 'm1.small' })
    expect(await numbers({ LaunchTemplateName: 'web' })).toEqual(['web 3', 'web 2', 'web 1'])
    expect(await numbers({ LaunchTemplateId: id, MinVersion: 2 })).toEqual(['web 3', 'web 2'])
    expect(await numbers({ LaunchTemplateId: id, MinVersion: 2, MaxVersion: 2 })).toEqual(['web 2'])
    expect(await numbers({ LaunchTemplateId: id, 'LaunchTemplateVersion.1': '$Latest' })).toEqual(['web 3'])
    const both = { 'LaunchTemplateVersion.1': '$Latest', 'LaunchTemplateVersion.2': '$Default' }
    expect(await numbers({ LaunchTemplateId: id, ...both })).toEqual(['web 3', 'web 1'])
    expect((await numbers(both)).toSorted()).toEqual(['aside 1', 'web 1', 'web 3'])
    const filter = (name: string, value: string) =>
      numbers({ LaunchTemplateId: id, 'Filter.1.Name': name, 'Filter.1.Value.1': value })
    expect(await filter('instance-type', 'm1.large')).toEqual(['web 3', 'web 2'])
    expect(await filter('http-tokens', 'required')).toEqual(['web 3'])
    expect(await filter('is-default-version', 'true')).toEqual(['web 1'])
    const page = await cloud.call('DescribeLaunchTemplateVersions', { LaunchTemplateId: id, MaxResults: 2 })
    expect(page.xml.launchTemplateVersionSet.item.length).toBe(2)
    const rest = { LaunchTemplateId: id, MaxResults: 2, NextToken: page.xml.nextToken as string }
    expect(await numbers(rest)).toEqual(['web 1'])
  })

  test('the default moves, is not deleted, and a number is given once', async () => {
    await version(id, { InstanceType: 'm1.large' })
    const moved = await cloud.call('ModifyLaunchTemplate', { LaunchTemplateId: id, SetDefaultVersion: 2 })
    expect(moved.xml.launchTemplate).toMatchObject({ defaultVersionNumber: '2', latestVersionNumber: '2' })
    await version(id, { InstanceType: 'm1.xlarge' })
    const deleted = await cloud.call('DeleteLaunchTemplateVersions', {
      LaunchTemplateId: id,
      'LaunchTemplateVersion.1': 2,
      'LaunchTemplateVersion.2': 3,
      'LaunchTemplateVersion.3': 9,
    })
    expect(deleted.xml.successfullyDeletedLaunchTemplateVersionSet.item).toEqual([
      { launchTemplateId: id, launchTemplateName: 'web', versionNumber: '3' },
    ])
    expect(
      deleted.xml.unsuccessfullyDeletedLaunchTemplateVersionSet.item.map(
        (item: { versionNumber: string; responseError: { code: string } }) => [
          item.versionNumber,
          item.responseError.code,
        ],
      ),
    ).toEqual([
      ['2', 'unexpectedError'],
      ['9', 'launchTemplateVersionDoesNotExist'],
    ])
    expect(await numbers({ LaunchTemplateId: id, 'LaunchTemplateVersion.1': '$Latest' })).toEqual(['web 2'])
    expect((await version(id, { InstanceType: 'm1.small' })).versionNumber).toBe('4')
  })

  test('a template goes with its versions and tags', async () => {
    await version(id, { InstanceType: 'm1.large' })
    const gone = await cloud.call('DeleteLaunchTemplate', { LaunchTemplateName: 'web' })
    expect(gone.xml.launchTemplate).toMatchObject({ launchTemplateId: id, latestVersionNumber: '2' })
    const left = await cloud.cloud.record.read((db) =>
      db.selectFrom('launch_template_version').selectAll().execute(),
    )
    expect(left).toEqual([])
    expect((await cloud.call('DeleteLaunchTemplate', { LaunchTemplateId: id })).code).toBe(
      'InvalidLaunchTemplateId.NotFound',
    )
  })

  test.each<[string, Parameters, string]>([
    ['DescribeLaunchTemplateVersions', {}, 'MissingParameter'],
    ['DescribeLaunchTemplateVersions', { 'LaunchTemplateVersion.1': 1 }, 'InvalidParameterValue'],
    [
      'DescribeLaunchTemplateVersions',
      { LaunchTemplateName: 'web', 'LaunchTemplateVersion.1': 3 },
      'InvalidLaunchTemplateId.VersionNotFound',
    ],
    ['DescribeLaunchTemplateVersions', { LaunchTemplateId: 'lt-x' }, 'InvalidLaunchTemplateId.Malformed'],
    [
      'DescribeLaunchTemplateVersions',
      { LaunchTemplateName: 'none' },
      'InvalidLaunchTemplateName.NotFoundException',
    ],
    [
      'DescribeLaunchTemplateVersions',
      { LaunchTemplateName: 'web', LaunchTemplateId: 'lt-00000000000000000' },
      'InvalidParameterCombination',
    ],
    [
      'DescribeLaunchTemplateVersions',
      { LaunchTemplateName: 'web', MinVersion: 'x' },
      'InvalidParameterValue',
    ],
    [
      'ModifyLaunchTemplate',
      { LaunchTemplateName: 'web', SetDefaultVersion: 666 },
      'InvalidLaunchTemplateId.VersionNotFound',
    ],
    ['ModifyLaunchTemplate', { LaunchTemplateName: 'web' }, 'MissingParameter'],
    [
      'CreateLaunchTemplateVersion',
      { LaunchTemplateName: 'web', SourceVersion: 7, 'LaunchTemplateData.InstanceType': 'm1.small' },
      'InvalidLaunchTemplateId.VersionNotFound',
    ],
    ['DeleteLaunchTemplateVersions', { LaunchTemplateName: 'web' }, 'MissingParameter'],
  ])('%s with %o is refused', async (action, parameters, code) => {
    expect((await cloud.call(action, parameters)).code).toBe(code)
  })
})

describe('launching from one', () => {
  beforeEach(async () => {
    await cloud.addNode('one')
  })

  test('the request wins member by member, tags of both apply, and the instance knows its template', async () => {
    const id = await create('web', {
      ImageId: image,
      InstanceType: 't3.micro',
      'Placement.AvailabilityZone': 'us-east-1a',
      'MetadataOptions.HttpTokens': 'optional',
      'MetadataOptions.HttpPutResponseHopLimit': 3,
      'TagSpecification.1.ResourceType': 'instance',
      'TagSpecification.1.Tag.1.Key': 'tier',
      'TagSpecification.1.Tag.1.Value': 'web',
      'TagSpecification.1.Tag.2.Key': 'owner',
      'TagSpecification.1.Tag.2.Value': 'ops',
    })
    const instance = await launch({
      'LaunchTemplate.LaunchTemplateId': id,
      InstanceType: 'm1.small',
      'MetadataOptions.HttpPutResponseHopLimit': 2,
      'TagSpecification.1.ResourceType': 'instance',
      'TagSpecification.1.Tag.1.Key': 'owner',
      'TagSpecification.1.Tag.1.Value': 'me',
    })
    expect(instance).toMatchObject({
      imageId: image,
      instanceType: 'm1.small',
      metadataOptions: { httpTokens: 'optional', httpPutResponseHopLimit: '2' },
    })
    expect(instance.tagSet.item).toEqual([
      { key: 'aws:ec2launchtemplate:id', value: id },
      { key: 'aws:ec2launchtemplate:version', value: '1' },
      { key: 'owner', value: 'me' },
      { key: 'tier', value: 'web' },
    ])
    const rows = await cloud.cloud.record.read((db) =>
      db.selectFrom('instance').select(['launch_template_id', 'launch_template_version']).execute(),
    )
    expect(rows).toEqual([{ launch_template_id: id, launch_template_version: 1 }])
  })

  test("AWS's tags stay when the owner's are deleted, and are not his to delete", async () => {
    const id = await create('web', { ImageId: image })
    const { instanceId } = await launch({ 'LaunchTemplate.LaunchTemplateId': id })
    await cloud.call('CreateTags', { 'ResourceId.1': instanceId, 'Tag.1.Key': 'k', 'Tag.1.Value': 'v' })
    const own = { 'ResourceId.1': instanceId, 'Tag.1.Key': 'aws:ec2launchtemplate:id' }
    expect((await cloud.call('DeleteTags', own)).code).toBe('InvalidParameterValue')
    await cloud.call('DeleteTags', { 'ResourceId.1': instanceId })
    const tags = await cloud.call('DescribeTags')
    expect(tags.xml.tagSet.item.map((tag: { key: string }) => tag.key)).toEqual([
      'aws:ec2launchtemplate:id',
      'aws:ec2launchtemplate:version',
    ])
  })

  test('the default version unless another is named', async () => {
    const id = await create('web', { ImageId: image, InstanceType: 't3.micro' })
    await version(id, { ImageId: image, InstanceType: 'm1.small' })
    const named = { 'LaunchTemplate.LaunchTemplateName': 'web' }
    expect((await launch(named)).instanceType).toBe('t3.micro')
    expect((await launch({ ...named, 'LaunchTemplate.Version': '$Latest' })).instanceType).toBe('m1.small')
    expect((await launch({ ...named, 'LaunchTemplate.Version': '2' })).instanceType).toBe('m1.small')
    const none = { MinCount: 1, MaxCount: 1, ...named, 'LaunchTemplate.Version': '3' }
    expect((await cloud.call('RunInstances', none)).code).toBe('InvalidLaunchTemplateId.VersionNotFound')
  })

  test('what a template says is checked at the launch', async () => {
    await create('bad', { ImageId: 'ami-00000000000000001' })
    await create('empty', { InstanceType: 't3.micro' })
    const run = (name: string) =>
      cloud.call('RunInstances', { MinCount: 1, MaxCount: 1, 'LaunchTemplate.LaunchTemplateName': name })
    expect((await run('bad')).code).toBe('InvalidAMIID.NotFound')
    expect((await run('empty')).code).toBe('MissingParameter')
  })

  test('an instance as a template launches another like it', async () => {
    await cloud.call('CreatePlacementGroup', { GroupName: 'g', Strategy: 'partition' })
    const { instanceId } = await launch({
      ImageId: image,
      InstanceType: 't3.micro',
      UserData: 'aGVsbG8=',
      DisableApiTermination: true,
      'Placement.GroupName': 'g',
      'TagSpecification.1.ResourceType': 'instance',
      'TagSpecification.1.Tag.1.Key': 'k',
      'TagSpecification.1.Tag.1.Value': 'v',
    })
    const { launchTemplateData: data } = (
      await cloud.call('GetLaunchTemplateData', { InstanceId: instanceId })
    ).xml
    expect(data).toMatchObject({
      imageId: image,
      instanceType: 't3.micro',
      userData: 'aGVsbG8=',
      disableApiTermination: 'true',
      instanceInitiatedShutdownBehavior: 'terminate',
      placement: { groupName: 'g', partitionNumber: '1', tenancy: 'default' },
      tagSpecificationSet: {
        item: [{ resourceType: 'instance', tagSet: { item: [{ key: 'k', value: 'v' }] } }],
      },
    })
    const card = data.networkInterfaceSet.item[0]
    await create('copy', {
      ImageId: data.imageId,
      InstanceType: data.instanceType,
      UserData: data.userData,
      EbsOptimized: data.ebsOptimized,
      'Monitoring.Enabled': data.monitoring.enabled,
      'Placement.GroupName': data.placement.groupName,
      'Placement.PartitionNumber': data.placement.partitionNumber,
      'Placement.Tenancy': data.placement.tenancy,
      'NetworkInterface.1.DeviceIndex': card.deviceIndex,
      'NetworkInterface.1.SubnetId': card.subnetId,
      'NetworkInterface.1.SecurityGroupId.1': card.groupSet.groupId ?? card.groupSet.item[0],
      'NetworkInterface.1.AssociatePublicIpAddress': card.associatePublicIpAddress,
      'NetworkInterface.1.DeleteOnTermination': card.deleteOnTermination,
      DisableApiTermination: data.disableApiTermination,
      DisableApiStop: data.disableApiStop,
      InstanceInitiatedShutdownBehavior: data.instanceInitiatedShutdownBehavior,
      'MetadataOptions.HttpTokens': data.metadataOptions.httpTokens,
      'MetadataOptions.HttpEndpoint': data.metadataOptions.httpEndpoint,
      'MetadataOptions.HttpProtocolIpv6': data.metadataOptions.httpProtocolIpv6,
      'HibernationOptions.Configured': data.hibernationOptions.configured,
      'EnclaveOptions.Enabled': data.enclaveOptions.enabled,
    })
    const copy = await launch({ 'LaunchTemplate.LaunchTemplateName': 'copy' })
    expect(copy.placement).toMatchObject({ groupName: 'g', partitionNumber: '1' })
    const other = await cloud.createAccount('other')
    expect((await cloud.call('GetLaunchTemplateData', { InstanceId: instanceId }, { as: other })).code).toBe(
      'InvalidInstanceID.NotFound',
    )
  })
})
