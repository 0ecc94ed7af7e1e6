import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { dayMs, hourMs, systemClock, type Clock } from '@mallee/base'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { filter, items, NetworkSteps, tagged, type Parameters } from './network-steps.ts'

let cloud: CloudUnderTest
let steps: NetworkSteps
let other: NetworkSteps
let mine: string
let theirs: string
let shiftMs = 0
const clock: Clock = { ...systemClock, now: () => systemClock.now() + shiftMs }
beforeEach(async () => {
  shiftMs = 0
  cloud = await CloudUnderTest.start({ requestLimits: 'none' }, clock)
  steps = new NetworkSteps(cloud)
  other = await steps.other()
  mine = await steps.vpc('10.1.0.0/16')
  theirs = await other.vpc('10.2.0.0/16')
})
afterEach(() => cloud.stop())

const create = async (parameters: Parameters = {}) =>
  (
    await steps.done('CreateVpcPeeringConnection', {
      ...{ VpcId: mine, PeerVpcId: theirs, PeerOwnerId: other.as.accountId },
      ...parameters,
    })
  ).vpcPeeringConnection
const on = (id: string): Parameters => ({ VpcPeeringConnectionId: id })
const described = async (who: NetworkSteps, parameters: Parameters = {}) => {
  const options = { as: who.as, now: new Date(clock.now()) }
  const answer = await cloud.call('DescribeVpcPeeringConnections', parameters, options)
  expect(answer.code, answer.message).toBeUndefined()
  return items(answer.xml.vpcPeeringConnectionSet)
}

describe('between accounts', () => {
  test('it is asked for, accepted and ended; both sides see it', async () => {
    const { accountId } = cloud.admin
    const asked = await create({ PeerRegion: 'us-east-1', ...tagged('vpc-peering-connection') })
    const id = asked.vpcPeeringConnectionId as string
    expect(asked).toMatchObject({
      status: { code: 'pending-acceptance', message: `Pending Acceptance by ${other.as.accountId}` },
      requesterVpcInfo: {
        ...{ vpcId: mine, ownerId: accountId, cidrBlock: '10.1.0.0/16', region: 'us-east-1' },
        cidrBlockSet: { item: [{ cidrBlock: '10.1.0.0/16' }] },
      },
      accepterVpcInfo: { vpcId: theirs, ownerId: other.as.accountId, region: 'us-east-1' },
      tagSet: { item: [{ key: 'colour', value: 'red' }] },
    })
    expect(asked.accepterVpcInfo.cidrBlock).toBeUndefined()
    expect(Date.parse(asked.expirationTime)).toBeGreaterThan(clock.now() + 6 * dayMs)
    const [seen] = await described(other)
    expect(seen).toEqual({ ...asked, tagSet: '' })
    expect(await steps.refused('AcceptVpcPeeringConnection', on(id))).toBe('OperationNotPermitted')
    const accepted = (await other.done('AcceptVpcPeeringConnection', on(id))).vpcPeeringConnection
    expect(accepted).toMatchObject({
      status: { code: 'active', message: 'Active' },
      accepterVpcInfo: { cidrBlock: '10.2.0.0/16' },
    })
    expect(accepted.expirationTime).toBeUndefined()
    for (const [name, value] of [
      ['status-code', 'active'],
      ['status-message', 'Active'],
      ['accepter-vpc-info.cidr-block', '10.2.0.0/16'],
      ['accepter-vpc-info.owner-id', other.as.accountId],
      ['accepter-vpc-info.vpc-id', theirs],
      ['requester-vpc-info.cidr-block', '10.1.0.0/16'],
      ['requester-vpc-info.owner-id', accountId],
      ['requester-vpc-info.vpc-id', mine],
      ['vpc-peering-connection-id', id],
      ['tag:colour', 'red'],
    ])
      expect((await described(steps, filter(name!, value!))).length, name).toBe(1)
    expect(await other.refused('AcceptVpcPeeringConnection', on(id))).toBe('InvalidStateTransition')
    expect((await other.done('DeleteVpcPeeringConnection', on(id))).return).toBe('true')
    expect((await described(steps))[0].status).toEqual({
      ...{ code: 'deleted', message: `Deleted by ${other.as.accountId}` },
    })
    expect(await steps.refused('DeleteVpcPeeringConnection', on(id))).toBe('InvalidStateTransition')
    shiftMs = 3 * hourMs
    expect([await described(steps), await described(other)]).toEqual([[], []])
  })

  test('it is rejected, or nobody answers in a week', async () => {
    const id = (await create()).vpcPeeringConnectionId as string
    expect(await other.refused('DeleteVpcPeeringConnection', on(id))).toBe('InvalidStateTransition')
    expect(await steps.refused('RejectVpcPeeringConnection', on(id))).toBe('OperationNotPermitted')
    expect((await other.done('RejectVpcPeeringConnection', on(id))).return).toBe('true')
    expect((await described(steps))[0].status.code).toBe('rejected')
    shiftMs = 3 * hourMs
    expect([(await described(steps)).length, (await described(other)).length]).toEqual([1, 0])
    shiftMs = 0
    const late = (await create()).vpcPeeringConnectionId as string
    shiftMs = 8 * dayMs
    const [expired] = await described(other)
    expect([expired.vpcPeeringConnectionId, expired.status.code]).toEqual([late, 'expired'])
    const options = { as: other.as, now: new Date(clock.now()) }
    expect((await cloud.call('AcceptVpcPeeringConnection', on(late), options)).code).toBe(
      'InvalidStateTransition',
    )
  })

  test('the wrong VPC, the wrong account and an overlap are one failure, which only who asked sees', async () => {
    const message = 'Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range'
    const same = await other.vpc('10.1.128.0/20')
    for (const parameters of [
      { PeerVpcId: same },
      { PeerVpcId: 'vpc-12345678' },
      { PeerOwnerId: '999999999999' },
    ]) {
      const failed = await create(parameters)
      expect(failed.status).toEqual({ code: 'failed', message })
      expect(failed.accepterVpcInfo.cidrBlock).toBeUndefined()
      expect(await steps.refused('DeleteVpcPeeringConnection', on(failed.vpcPeeringConnectionId))).toBe(
        'InvalidStateTransition',
      )
    }
    expect((await described(steps, filter('status-code', 'failed'))).length).toBe(3)
    expect(await described(other)).toEqual([])
  })

  test('a VPC that goes takes it along, and no block comes to overlap', async () => {
    const id = (await create()).vpcPeeringConnectionId as string
    await other.done('AcceptVpcPeeringConnection', on(id))
    for (const [who, vpcId, cidr] of [
      [steps, mine, '10.2.4.0/24'],
      [other, theirs, '10.1.4.0/24'],
    ] as const)
      expect(await who.refused('AssociateVpcCidrBlock', { VpcId: vpcId, CidrBlock: cidr })).toBe(
        'InvalidVpc.Range',
      )
    const table = items((await steps.done('DescribeRouteTables', filter('vpc-id', mine))).routeTableSet)[0]
    const route = { RouteTableId: table.routeTableId as string, DestinationCidrBlock: '10.2.0.0/16' }
    await steps.done('CreateRoute', { ...route, VpcPeeringConnectionId: id })
    await other.done('DeleteVpc', { VpcId: theirs })
    expect((await described(steps))[0].status.code).toBe('deleted')
    const after = items((await steps.done('DescribeRouteTables', filter('vpc-id', mine))).routeTableSet)[0]
    expect(after.routeSet.item[1].state).toBe('blackhole')
  })

  test('each side sets its own options', async () => {
    const id = (await create()).vpcPeeringConnectionId as string
    const option = 'PeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc'
    const modify = (who: NetworkSteps, side: string, value = true) =>
      who.call('ModifyVpcPeeringConnectionOptions', { ...on(id), [`${side}${option}`]: value })
    expect((await modify(steps, 'Requester')).code).toBe('OperationNotPermitted')
    await other.done('AcceptVpcPeeringConnection', on(id))
    expect((await modify(steps, 'Requester')).code).toBe(
      'InvalidVpcPeeringConnectionState.DnsHostnamesDisabled',
    )
    await steps.done('ModifyVpcAttribute', { VpcId: mine, 'EnableDnsHostnames.Value': true })
    const answer = await modify(steps, 'Requester')
    expect(answer.xml.requesterPeeringConnectionOptions.allowDnsResolutionFromRemoteVpc).toBe('true')
    expect((await modify(steps, 'Accepter')).code).toBe('OperationNotPermitted')
    const [seen] = await described(other)
    expect([
      seen.requesterVpcInfo.peeringOptions.allowDnsResolutionFromRemoteVpc,
      seen.accepterVpcInfo.peeringOptions.allowDnsResolutionFromRemoteVpc,
    ]).toEqual(['true', 'false'])
    expect((await modify(other, 'Accepter', false)).status).toBe(200)
    expect(await steps.refused('ModifyVpcPeeringConnectionOptions', on(id))).toBe(
      'InvalidParameterCombination',
    )
    expect(
      await steps.refused('ModifyVpcPeeringConnectionOptions', {
        ...on(id),
        'RequesterPeeringConnectionOptions.AllowEgressFromLocalVpcToRemoteClassicLink': true,
      }),
    ).toBe('UnsupportedOperation')
  })
})

test('within an account, and what is refused', async () => {
  const second = await steps.vpc('10.3.0.0/16')
  const asked = await create({ PeerVpcId: second, PeerOwnerId: cloud.admin.accountId })
  const id = asked.vpcPeeringConnectionId as string
  await steps.done('AcceptVpcPeeringConnection', on(id))
  const refused = (parameters: Parameters) =>
    steps.refused('CreateVpcPeeringConnection', { VpcId: mine, PeerVpcId: second, ...parameters })
  expect(await refused({})).toBe('VpcPeeringConnectionAlreadyExists')
  expect(await refused({ VpcId: second, PeerVpcId: mine })).toBe('VpcPeeringConnectionAlreadyExists')
  expect(await refused({ PeerVpcId: theirs })).toBe('InvalidVpcID.NotFound')
  expect(await refused({ VpcId: theirs })).toBe('InvalidVpcID.NotFound')
  expect(await refused({ PeerRegion: 'eu-west-1' })).toBe('UnsupportedOperation')
  expect(await refused({ PeerOwnerId: 'friend' })).toBe('InvalidParameterValue')
  expect(await steps.refused('CreateVpcPeeringConnection', { VpcId: mine })).toBe('MissingParameter')
  await steps.setQuota('vpc-peerings-per-vpc', 1)
  expect(await refused({ PeerVpcId: await steps.vpc('10.4.0.0/16') })).toBe(
    'VpcPeeringConnectionsPerVpcLimitExceeded',
  )
  const third = await new NetworkSteps(cloud, await cloud.createAccount('third'))
  const missing = 'InvalidVpcPeeringConnectionID.NotFound'
  for (const action of ['Accept', 'Reject', 'Delete'])
    expect(await third.refused(`${action}VpcPeeringConnection`, on(id))).toBe(missing)
  expect(await third.refused('DescribeVpcPeeringConnections', { 'VpcPeeringConnectionId.1': id })).toBe(
    missing,
  )
  expect(await third.refused('AcceptVpcPeeringConnection', on('x'))).toBe(
    'InvalidVpcPeeringConnectionId.Malformed',
  )
  expect(await described(third)).toEqual([])
})
