import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FlowLogItem, VpcItem } from '@mallee/agent-contract'
import { walrusFingerprint } from '../../answering-walrus.ts'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { filter, items, NetworkSteps, tagged, type Parameters } from './network-steps.ts'

let cloud: CloudUnderTest
let steps: NetworkSteps
beforeEach(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none' })
  steps = new NetworkSteps(cloud)
})
afterEach(() => cloud.stop())

const toBucket = {
  TrafficType: 'ALL',
  LogDestinationType: 's3',
  LogDestination: 'arn:aws:s3:::records/net',
}
const ofVpc = (vpcId: string): Parameters => ({ ResourceType: 'VPC', 'ResourceId.1': vpcId, ...toBucket })
const create = async (parameters: Parameters, who = steps): Promise<string[]> =>
  items((await who.done('CreateFlowLogs', parameters)).flowLogIdSet) as string[]
const described = async (parameters: Parameters = {}, who = steps) =>
  items((await who.done('DescribeFlowLogs', parameters)).flowLogSet)

describe('a flow log', () => {
  test('is made, found by every filter, tagged and deleted', async () => {
    const vpcId = await steps.vpc()
    const asked = { ...ofVpc(vpcId), ...tagged('vpc-flow-log'), ClientToken: 'once' }
    const [id] = await create(asked)
    expect(await create(asked)).toEqual([id])
    const [log] = await described()
    expect(log).toEqual({
      ...{ flowLogId: id, resourceId: vpcId, trafficType: 'ALL', flowLogStatus: 'ACTIVE' },
      ...{ creationTime: expect.stringMatching(/Z$/), deliverLogsStatus: 'SUCCESS' },
      ...{ logDestinationType: 's3', logDestination: 'arn:aws:s3:::records/net' },
      logFormat:
        '${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}',
      maxAggregationInterval: '600',
      destinationOptions: {
        ...{ fileFormat: 'plain-text', hiveCompatiblePartitions: 'false', perHourPartition: 'false' },
      },
      tagSet: { item: [{ key: 'colour', value: 'red' }] },
    })
    for (const [name, value] of [
      ['deliver-log-status', 'SUCCESS'],
      ['flow-log-id', id],
      ['log-destination-type', 's3'],
      ['resource-id', vpcId],
      ['traffic-type', 'ALL'],
      ['tag:colour', 'red'],
    ] as const)
      expect(await described(filter(name, value!)), name).toEqual([log])
    expect(await described(filter('log-group-name', '*'))).toEqual([])
    expect(await described(filter('traffic-type', 'REJECT'))).toEqual([])
    await steps.done('CreateTags', { 'ResourceId.1': id!, 'Tag.1.Key': 'size', 'Tag.1.Value': 'big' })
    expect(items((await steps.done('DescribeTags', filter('resource-type', 'vpc-flow-log'))).tagSet)).toEqual(
      [
        { resourceId: id, resourceType: 'vpc-flow-log', key: 'colour', value: 'red' },
        { resourceId: id, resourceType: 'vpc-flow-log', key: 'size', value: 'big' },
      ],
    )
    expect((await steps.done('DeleteFlowLogs', { 'FlowLogId.1': id! })).unsuccessful).toBe('')
    expect(await described()).toEqual([])
    expect(items((await steps.done('DescribeTags')).tagSet)).toEqual([])
  })

  test('is described in pages', async () => {
    const vpcId = await steps.vpc()
    const subnets = [await steps.subnet(vpcId), await steps.subnet(vpcId, '10.0.2.0/24')]
    const ids = await create({
      ...{ ...toBucket, ResourceType: 'Subnet', 'ResourceId.1': subnets[0]!, 'ResourceId.2': subnets[1]! },
      MaxAggregationInterval: 60,
    })
    const [more] = await create(ofVpc(vpcId))
    const seen: string[] = []
    let token: string | undefined
    do {
      const page = await steps.done('DescribeFlowLogs', {
        MaxResults: 5,
        ...(token === undefined ? {} : { NextToken: token }),
      })
      seen.push(...items(page.flowLogSet).map((log) => log.flowLogId as string))
      token = page.nextToken
    } while (token)
    expect(seen.toSorted()).toEqual([...ids, more!].toSorted())
    const [named] = await described({ 'FlowLogId.1': more! })
    expect(named.flowLogId).toBe(more)
  })

  test('goes with what it is of', async () => {
    const vpcId = await steps.vpc()
    const subnet = await steps.subnet(vpcId)
    const made = await steps.done('CreateNetworkInterface', { SubnetId: subnet })
    const eni = made.networkInterface.networkInterfaceId as string
    const logs: string[] = []
    for (const [ResourceType, id] of [
      ['NetworkInterface', eni],
      ['Subnet', subnet],
      ['VPC', vpcId],
    ] as const)
      logs.push(...(await create({ ...toBucket, ResourceType, 'ResourceId.1': id })))
    const left = async () => (await described()).map((log) => log.flowLogId as string).toSorted()
    expect(await left()).toEqual(logs.toSorted())
    await steps.done('DeleteNetworkInterface', { NetworkInterfaceId: eni })
    expect(await left()).toEqual(logs.slice(1).toSorted())
    await steps.done('DeleteSubnet', { SubnetId: subnet })
    expect(await left()).toEqual(logs.slice(2).toSorted())
    await steps.done('DeleteVpc', { VpcId: vpcId })
    expect(await left()).toEqual([])
  })

  test('that some resources cannot have is made of the others', async () => {
    const vpcId = await steps.vpc()
    const asked = { ...ofVpc(vpcId), 'ResourceId.2': 'vpc-0123456789abcdef0' }
    const answer = await steps.done('CreateFlowLogs', asked)
    expect(items(answer.flowLogIdSet)).toHaveLength(1)
    expect(items(answer.unsuccessful)).toEqual([
      {
        resourceId: 'vpc-0123456789abcdef0',
        error: { code: 'InvalidVpcID.NotFound', message: expect.any(String) },
      },
    ])
  })

  test('is the only one of its kind, and one of no more than the quota', async () => {
    const vpcId = await steps.vpc()
    await create(ofVpc(vpcId))
    expect(await steps.refused('CreateFlowLogs', ofVpc(vpcId))).toBe('FlowLogAlreadyExists')
    await create({ ...ofVpc(vpcId), TrafficType: 'REJECT' })
    const third = { ...ofVpc(vpcId), TrafficType: 'ACCEPT' }
    expect(await steps.refused('CreateFlowLogs', third)).toBe('FlowLogsLimitExceeded')
    await steps.setQuota('flow-logs-per-resource', 3)
    await create(third)
  })

  test("is nobody else's", async () => {
    const vpcId = await steps.vpc()
    const [id] = await create(ofVpc(vpcId))
    const other = await steps.other()
    expect(await described({}, other)).toEqual([])
    expect(await other.refused('CreateFlowLogs', ofVpc(vpcId))).toBe('InvalidVpcID.NotFound')
    expect(await other.refused('DeleteFlowLogs', { 'FlowLogId.1': id! })).toBe('InvalidFlowLogId.NotFound')
    expect(await other.refused('DescribeFlowLogs', { 'FlowLogId.1': id! })).toBe('InvalidFlowLogId.NotFound')
    expect(await described()).toHaveLength(1)
  })
})

describe('what a flow log cannot be', () => {
  test.each([
    [
      'to CloudWatch',
      { LogDestinationType: 'cloud-watch-logs' },
      'UnsupportedOperation',
      'LogDestinationType',
    ],
    ['to Firehose', { LogDestinationType: 'kinesis-data-firehose' }, 'UnsupportedOperation', 'LogDest'],
    ['to a log group', { LogGroupName: 'group' }, 'UnsupportedOperation', 'LogGroupName'],
    ['by a role', { DeliverLogsPermissionArn: 'arn:x' }, 'UnsupportedOperation', 'DeliverLogsPermissionArn'],
    ['as Parquet', { 'DestinationOptions.FileFormat': 'parquet' }, 'UnsupportedOperation', 'FileFormat'],
    [
      'by the hour',
      { 'DestinationOptions.PerHourPartition': true },
      'UnsupportedOperation',
      'PerHourPartition',
    ],
    ['to no bucket', { LogDestination: 'records' }, 'InvalidParameterValue', 'LogDestination'],
    [
      'into AWS’ folder',
      { LogDestination: 'arn:aws:s3:::records/AWSLogs/' },
      'InvalidParameterValue',
      'AWSLogs',
    ],
    ['out of its folder', { LogDestination: 'arn:aws:s3:::records/a/../b' }, 'InvalidParameterValue', 'a/..'],
    ['of an unknown field', { LogFormat: '${version} ${moon}' }, 'InvalidParameterValue', 'moon'],
    ['of no fields', { LogFormat: 'version srcaddr' }, 'InvalidParameterValue', 'LogFormat'],
    ['of a field twice', { LogFormat: '${start} ${start}' }, 'InvalidParameterValue', 'LogFormat'],
    ['of minutes', { MaxAggregationInterval: 120 }, 'InvalidParameterValue', 'MaxAggregationInterval'],
    ['of a gateway', { ResourceType: 'TransitGateway' }, 'UnsupportedOperation', 'ResourceType'],
    ['of a subnet that is a VPC', { ResourceType: 'Subnet' }, 'InvalidSubnetId.Malformed', 'vpc-'],
  ])('%s', async (_what, parameters: Parameters, code, named) => {
    const vpcId = await steps.vpc()
    const answer = await steps.call('CreateFlowLogs', { ...ofVpc(vpcId), ...parameters })
    expect({ code: answer.code, names: answer.message?.includes(named) }, answer.message).toEqual({
      code,
      names: true,
    })
    expect(await described()).toEqual([])
  })

  test('without what AWS asks for', async () => {
    const { LogDestinationType: _type, ...untyped } = ofVpc(await steps.vpc())
    expect(await steps.refused('CreateFlowLogs', untyped)).toBe('UnsupportedOperation')
    const { TrafficType: _traffic, ...idle } = ofVpc(await steps.vpc())
    expect(await steps.refused('CreateFlowLogs', idle)).toBe('MissingParameter')
    const { LogDestination: _to, ...nowhere } = ofVpc(await steps.vpc())
    expect(await steps.refused('CreateFlowLogs', nowhere)).toBe('MissingParameter')
    expect(await steps.refused('CreateFlowLogs', { ...ofVpc(await steps.vpc()), DryRun: true })).toBe(
      'DryRunOperation',
    )
    expect(await described()).toEqual([])
  })
})

describe('what agents are told', () => {
  const itemOf = async <T>(kind: 'node' | 'walrus', agentId: string, of: string) => {
    await cloud.settled()
    const { bodies } = await cloud.desired(kind, agentId)
    return bodies.filter((item) => item.kind === of).map(({ id, body }) => ({ id, body: body as T }))
  }

  test('a node hears of its own interfaces, and walrus of the node and the bucket', async () => {
    const node = await cloud.registerAgent('node', 'node-1')
    await cloud.report('node', node, [])
    const walrus = await cloud.registerAgent('walrus', 'walrus')
    const { interfaceId } = await steps.instance()
    const neighbour = await steps.instance()
    await cloud.cloud.record.transaction('report', (tx) =>
      tx.db.updateTable('instance').set({ node_id: node }).execute(),
    )
    const asked = { ...toBucket, ResourceType: 'NetworkInterface', 'ResourceId.1': interfaceId }
    const [id] = await create({ ...asked, LogFormat: '${interface-id} ${action}', TrafficType: 'REJECT' })
    const [vpc] = await itemOf<VpcItem>('node', node, 'vpc')
    const { accountId } = cloud.admin
    const place = { accountId, bucket: 'records', region: 'us-east-1' }
    const keyPrefix = `net/AWSLogs/${accountId}/vpcflowlogs/us-east-1/`
    expect(vpc?.body.flowLogs).toEqual([
      {
        ...{ ...place, keyPrefix, flowLogId: id, traffic: 'REJECT', intervalSeconds: 600 },
        ...{ fields: ['interface-id', 'action'], interfaceIds: [interfaceId] },
      },
    ])
    const [item] = await itemOf<FlowLogItem>('walrus', walrus, 'flow-log')
    expect(item).toEqual({ id, body: { ...place, keyPrefix, agents: [node] } })

    const says = (facts: object) =>
      cloud.report(
        'walrus',
        walrus,
        [{ kind: 'flow-log', id: id!, generation: 1, facts: facts as never }],
        walrusFingerprint,
      )
    await says({ deliverable: false, message: 'Access error' })
    const [failing] = await described(filter('deliver-log-status', 'FAILED'))
    expect(failing.deliverLogsErrorMessage).toBe('Access error')
    await says({ deliverable: true, message: null })
    expect(await described(filter('deliver-log-status', 'SUCCESS'))).toHaveLength(1)

    const [network] = items((await steps.done('DescribeNetworkInterfaces')).networkInterfaceSet)
    for (const [kind, of] of [
      ['Subnet', network.subnetId],
      ['VPC', network.vpcId],
    ] as const) {
      const [whole] = await create({ ...toBucket, ResourceType: kind, 'ResourceId.1': of })
      const [item] = await itemOf<VpcItem>('node', node, 'vpc')
      const log = item?.body.flowLogs?.find(({ flowLogId }) => flowLogId === whole)
      expect(log?.interfaceIds.toSorted(), kind).toEqual([interfaceId, neighbour.interfaceId].toSorted())
      await steps.done('DeleteFlowLogs', { 'FlowLogId.1': whole! })
    }
    await steps.done('DeleteFlowLogs', { 'FlowLogId.1': id! })
    expect((await itemOf<VpcItem>('node', node, 'vpc'))[0]?.body.flowLogs).toBeUndefined()
    expect(await itemOf('walrus', walrus, 'flow-log')).toEqual([])
  })
})
