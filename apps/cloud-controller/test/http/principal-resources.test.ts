import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { allow, iamClient, keyOf } from '../actions/iam/iam-client.ts'
import { CloudUnderTest, type Credentials } from '../cloud-under-test.ts'
import { baseRequests } from '../coverage/base-requests.ts'
import type { Parameters } from '../coverage/coverage-world.ts'
import { idInArn, arnTypes } from './arn-types.ts'
import { namingMembers, Tenant, type NamingMember } from './foreign-things.ts'
import { requestAround } from './request-around.ts'
import { deny } from './principals.ts'

/**
 * Every member of every action by which a caller names a thing: a policy that denies that one thing refuses the request,
 * one that denies another does not. What EC2 asks no leave for is told apart by name.
 */
let cloud: CloudUnderTest
let owner: Tenant
let eve: Credentials
const iam = iamClient(() => cloud)

beforeAll(async () => {
  cloud = await CloudUnderTest.start({
    ...{ requestLimits: 'none', pollSeconds: 3_600, publicPool: '198.18.0.0/16' },
  })
  await cloud.addNode('node-1', { vcpus: 100_000, memoryMiB: 100_000_000, diskGiB: 10_000_000 })
  await cloud.addStorage()
  await cloud.cloud.record.transaction('action', async (tx) => {
    await tx.db.updateTable('quota').set({ value: 100_000 }).execute()
  })
  owner = await Tenant.open(cloud, cloud.admin, 'own')
  await iam('CreateUser', { UserName: 'eve' })
  eve = await keyOf(iam, cloud.admin, 'eve')
})
afterAll(() => cloud.stop())

const put = async (document: string) => {
  const answer = await iam('PutUserPolicy', { UserName: 'eve', PolicyName: 'p', PolicyDocument: document })
  expect(answer.status, answer.body).toBe(200)
}
const arn = (type: string, id: string) =>
  `arn:aws:ec2:us-east-1:${/^(?:image|snapshot)$/.test(type) ? '' : cloud.admin.accountId}:${type}/${id}`
/** Some actions know no dry run: they are asked to do it. */
async function dryRun(action: string, parameters: Parameters) {
  const tried = await cloud.call(action, { ...parameters, DryRun: true }, { as: eve })
  return tried.code === 'UnknownParameter' ? cloud.call(action, parameters, { as: eve }) : tried
}

/** Lists are asked for as a whole, and of what is only referred to nobody is asked. */
const notAsked = ({ action, parameter }: NamingMember) =>
  /^Describe(?!\w*Attribute$)/.test(action) ||
  (/SecurityGroup/.test(action) && /^(?:IpPermissions|SourceSecurityGroup)/.test(parameter)) ||
  parameter.endsWith('ReferencedGroupId') ||
  (/^(?:Create|Replace|Delete)Route$/.test(action) && parameter !== 'RouteTableId') ||
  (action === 'CreateVpcPeeringConnection' && parameter === 'PeerVpcId') ||
  parameter.startsWith('LaunchTemplateData.')

const members = namingMembers()

describe.each(members.filter((member) => !notAsked(member)))('$action $parameter ($kind)', (member) => {
  test('is refused by a policy on that one, and not by one on another', async () => {
    const { action, parameter, kind } = member
    const thing = await owner.thing(kind)
    const request = { ...(await requestAround(member, owner)), [parameter]: thing }
    const [type, id] = [arnTypes[kind], await idInArn(owner, kind, thing)]
    await put(deny(`ec2:${action}`, arn(type, id)))
    const refused = await dryRun(action, request)
    expect([refused.status, refused.code], `${type}/${id}`).toEqual([403, 'UnauthorizedOperation'])
    expect(refused.message).toContain(arn(type, id))
    await put(deny(`ec2:${action}`, arn(type, `${id}x`)))
    expect((await dryRun(action, request)).code).not.toBe('UnauthorizedOperation')
  })
})

test.each(members.filter(notAsked))('$action $parameter asks for no leave for $kind', async (member) => {
  const { action, parameter, kind } = member
  const thing = await owner.thing(kind)
  const request = { ...(await requestAround(member, owner)), [parameter]: thing }
  await put(deny(`ec2:${action}`, `arn:aws:ec2:*:*:${arnTypes[kind]}/${await idInArn(owner, kind, thing)}`))
  expect((await dryRun(action, request)).code).toBe('DryRunOperation')
})

/** What is tagged is known by its tags, whatever name it is asked for by. */
const tagged = ['TerminateInstances', 'DeleteKeyPair', 'DeletePlacementGroup', 'DetachNetworkInterface']

test.each(tagged)('%s sees the tags of what it is about', async (action) => {
  const request = await baseRequests[action]!.request(owner)
  const [[, named]] = Object.entries(request) as [[string, string]]
  const id = await idOfNamed(action, named)
  await owner.call('CreateTags', { 'ResourceId.1': id, 'Tag.1.Key': 'stage', 'Tag.1.Value': 'live' })
  const condition = (value: string) => ({ StringEquals: { 'ec2:ResourceTag/stage': value } })
  await put(deny('ec2:*', '*', condition('live')))
  expect((await dryRun(action, request)).code).toBe('UnauthorizedOperation')
  await put(deny('ec2:*', '*', condition('test')))
  expect((await dryRun(action, request)).code).toBe('DryRunOperation')
})

async function idOfNamed(action: string, named: string): Promise<string> {
  if (action === 'DeleteKeyPair')
    return (await owner.call('DescribeKeyPairs', { 'KeyName.1': named })).keySet.item[0].keyPairId
  if (action === 'DeletePlacementGroup')
    return (await owner.call('DescribePlacementGroups', { 'GroupName.1': named })).placementGroupSet.item[0]
      .groupId
  return action === 'DetachNetworkInterface' ? owner.interfaceOf(named) : named
}

test('a policy that allows one thing allows no other', async () => {
  const [mine, other] = [await owner.instance(), await owner.instance()]
  await put(allow('ec2:TerminateInstances', arn('instance', mine)))
  expect((await dryRun('TerminateInstances', { 'InstanceId.1': mine })).code).toBe('DryRunOperation')
  const both = { 'InstanceId.1': mine, 'InstanceId.2': other }
  for (const request of [{ 'InstanceId.1': other }, both])
    expect((await dryRun('TerminateInstances', request)).code).toBe('UnauthorizedOperation')
})
