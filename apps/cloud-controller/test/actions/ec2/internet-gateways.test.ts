import { afterEach, beforeEach, expect, test } from 'vitest'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { filter, items, NetworkSteps, tagged, type Parameters } from './network-steps.ts'

let cloud: CloudUnderTest
let steps: NetworkSteps
let vpcId: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none' })
  await cloud.addNode('node-1')
  steps = new NetworkSteps(cloud)
  vpcId = await steps.vpc()
})
afterEach(() => cloud.stop())

const described = async (parameters: Parameters = {}) =>
  items((await steps.done('DescribeInternetGateways', parameters)).internetGatewaySet)

test('from its making to its end', async () => {
  const { internetGateway } = await steps.done('CreateInternetGateway', tagged('internet-gateway'))
  const id = internetGateway.internetGatewayId as string
  const own = { InternetGatewayId: id, VpcId: vpcId }
  expect(internetGateway).toMatchObject({
    ownerId: cloud.admin.accountId,
    attachmentSet: '',
    tagSet: { item: [{ key: 'colour', value: 'red' }] },
  })
  expect(await steps.refused('DetachInternetGateway', own)).toBe('Gateway.NotAttached')
  await steps.done('AttachInternetGateway', own)
  expect(await steps.refused('AttachInternetGateway', own)).toBe('Resource.AlreadyAssociated')
  const second = (await steps.done('CreateInternetGateway')).internetGateway.internetGatewayId as string
  expect(await steps.refused('AttachInternetGateway', { ...own, InternetGatewayId: second })).toBe(
    'InvalidParameterValue',
  )
  const attached = {
    ...internetGateway,
    attachmentSet: { item: [{ vpcId, state: 'available' }] },
  }
  for (const [name, value] of [
    ['internet-gateway-id', id],
    ['attachment.vpc-id', vpcId],
    ['tag:colour', 'red'],
  ])
    expect(await described(filter(name!, value!)), name).toEqual([attached])
  expect((await described(filter('attachment.state', 'available'))).length).toBe(2)
  expect((await described(filter('owner-id', cloud.admin.accountId))).length).toBe(3)
  expect(await steps.refused('DeleteInternetGateway', own)).toBe('UnknownParameter')
  expect(await steps.refused('DeleteInternetGateway', { InternetGatewayId: id })).toBe('DependencyViolation')
  await steps.done('DetachInternetGateway', own)
  await steps.done('DeleteInternetGateway', { InternetGatewayId: id })
  expect(await steps.refused('DeleteInternetGateway', { InternetGatewayId: id })).toBe(
    'InvalidInternetGatewayID.NotFound',
  )
  expect(await steps.refused('DeleteInternetGateway', { InternetGatewayId: 'igw-x' })).toBe(
    'InvalidInternetGatewayId.Malformed',
  )
  expect(items((await steps.done('DescribeTags')).tagSet)).toEqual([])
})

test('public addresses of the VPC hold it, lent and elastic ones', async () => {
  const id = await steps.gateway(vpcId)
  const own = { InternetGatewayId: id, VpcId: vpcId }
  const subnet = await steps.subnet(vpcId)
  const { id: instance } = await steps.instance({ SubnetId: subnet })
  const { allocationId, publicIp } = await steps.address()
  await steps.done('AssociateAddress', { InstanceId: instance, AllocationId: allocationId })
  expect(await steps.refused('DetachInternetGateway', own)).toBe('DependencyViolation')
  await steps.done('DisassociateAddress', { PublicIp: publicIp })
  await steps.done('DetachInternetGateway', own)
  expect(await steps.refused('AssociateAddress', { InstanceId: instance, AllocationId: allocationId })).toBe(
    'Gateway.NotAttached',
  )
  await steps.instance()
  const [attached] = await described(filter('attachment.state', 'available'))
  const lent = {
    InternetGatewayId: attached.internetGatewayId as string,
    VpcId: attached.attachmentSet.item[0].vpcId as string,
  }
  expect(await steps.refused('DetachInternetGateway', lent)).toBe('DependencyViolation')
})

test('the quota; another account; two at once for one VPC', async () => {
  const id = await steps.gateway(vpcId)
  const other = await steps.other()
  const theirs = await other.vpc()
  for (const action of ['AttachInternetGateway', 'DetachInternetGateway'])
    expect(await other.refused(action, { InternetGatewayId: id, VpcId: theirs })).toBe(
      'InvalidInternetGatewayID.NotFound',
    )
  const free = (await other.done('CreateInternetGateway')).internetGateway.internetGatewayId as string
  expect(await other.refused('AttachInternetGateway', { InternetGatewayId: free, VpcId: vpcId })).toBe(
    'InvalidVpcID.NotFound',
  )
  expect(await other.refused('DescribeInternetGateways', { 'InternetGatewayId.1': id })).toBe(
    'InvalidInternetGatewayID.NotFound',
  )
  await other.setQuota('internet-gateways', 2)
  expect(await other.refused('CreateInternetGateway')).toBe('InternetGatewayLimitExceeded')
  await other.setQuota('internet-gateways', 9)
  const more = (await other.done('CreateInternetGateway')).internetGateway.internetGatewayId as string
  const answers = await Promise.all(
    [free, more].map((gateway) =>
      other.call('AttachInternetGateway', { InternetGatewayId: gateway, VpcId: theirs }),
    ),
  )
  expect(answers.map((answer) => answer.status).toSorted()).toEqual([200, 400])
})

test('there are none for IPv6 alone', async () => {
  const answer = await steps.done('DescribeEgressOnlyInternetGateways', filter('tag:colour', 'red'))
  expect(items(answer.egressOnlyInternetGatewaySet)).toEqual([])
  expect(
    await steps.refused('DescribeEgressOnlyInternetGateways', { 'EgressOnlyInternetGatewayId.1': 'eigw-1' }),
  ).toBe('InvalidGatewayID.NotFound')
  expect(await steps.refused('CreateEgressOnlyInternetGateway', { VpcId: vpcId })).toBe(
    'UnsupportedOperation',
  )
})
