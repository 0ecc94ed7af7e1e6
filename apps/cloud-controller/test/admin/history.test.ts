import { afterEach, beforeEach, expect, test } from 'vitest'
import type { DomainItem } from '@mallee/agent-contract'
import type { HistoryEntry } from '../../src/admin/history-route.ts'
import { CloudUnderTest } from '../cloud-under-test.ts'

let cloud: CloudUnderTest
let node: string
let image: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  node = await cloud.addNode('one')
  image = await cloud.plantImage(cloud.admin.accountId)
})
afterEach(() => cloud.stop())

async function history(id: string): Promise<HistoryEntry[]> {
  const answer = await cloud.cloud.adminDoor.inject(`/admin/v1/history/${encodeURIComponent(id)}`)
  expect(answer.statusCode, answer.body).toBe(200)
  return (answer.json() as { entries: HistoryEntry[] }).entries
}
const itemOf = async (id: string) =>
  (await cloud.desired('node', node)).bodies.find((item) => item.id === id)?.body as DomainItem

test('an instance’s life is told from its event rows, each under the request that caused it', async () => {
  const run = await cloud.call('RunInstances', { ImageId: image, MinCount: 1, MaxCount: 1 })
  const id = run.xml.instancesSet.item[0].instanceId as string
  await cloud.settled()
  expect((await itemOf(`${id}/1`)).requestId).toBe(run.requestId)
  await cloud.reportDomain(node, `${id}/1`, { state: 'running', startedAtMs: 5 })
  const reboot = await cloud.call('RebootInstances', { 'InstanceId.1': id })
  await cloud.settled()
  expect((await itemOf(`${id}/1`)).requestId).toBe(reboot.requestId)
  await cloud.reportDomain(node, `${id}/1`, { state: 'ended', startedAtMs: 5, endReason: 'crashed' })
  await cloud.reportDomain(node, `${id}/1`, { state: 'gone', startedAtMs: 5, endReason: 'crashed' })
  await cloud.reportDomain(node, `${id}/2`, { state: 'running', startedAtMs: 6 })
  const end = await cloud.call('TerminateInstances', { 'InstanceId.1': id })
  await cloud.settled()
  await cloud.reportDomain(node, `${id}/2`, { state: 'gone', startedAtMs: 6, endReason: 'shutdown' })
  const told = await history(id)
  expect(told.map((entry) => [entry.what, entry.to, entry.requestId])).toEqual(
    expect.arrayContaining([
      ['RunInstances', null, run.requestId],
      ['domainRunning', 'running', run.requestId],
      ['RebootInstances', null, reboot.requestId],
      ['incarnated', 'running', reboot.requestId],
      ['TerminateInstances', null, end.requestId],
      ['terminateAsked', 'shutting-down', end.requestId],
      ['released', 'terminated', end.requestId],
    ]),
  )
  expect(told.map((entry) => entry.atMs)).toEqual(told.map((entry) => entry.atMs).toSorted())
  expect(told.find((entry) => entry.what === 'RunInstances')?.by).toBe('mallee/root')
  expect(told.find((entry) => entry.what === 'released')).toMatchObject({
    by: 'cloud',
    from: 'shutting-down',
  })
  expect(told.find((entry) => entry.what === 'incarnated')?.reason).toContain('crashed')
})

test('a silent agent has a history too; what nobody knows has none', async () => {
  await cloud.cloud.record.transaction('reconcile', async (tx) => {
    await tx.db.updateTable('agent').set({ silent_since: 1 }).where('id', '=', node).execute()
  })
  cloud.cloud.presence.heard(node)
  cloud.cloud.reconcilers['agents']!.wake()
  await cloud.settled()
  expect((await history(node)).map((entry) => entry.what)).toEqual(['spokeAgain'])
  const nothing = await cloud.cloud.adminDoor.inject('/admin/v1/history/i-00000000000000bad')
  expect([nothing.statusCode, nothing.json()]).toEqual([400, expect.objectContaining({ code: 'NotFound' })])
  expect((await cloud.cloud.adminDoor.inject('/admin/v1/history/%27%20or')).statusCode).toBe(400)
})

test('figures count by names of ours only, and readiness is the record’s, the loops’ and the clock’s', async () => {
  await cloud.call('DescribeInstances')
  await cloud.call('MadeUpByTheClient')
  await cloud.call('DescribeInstances', { 'InstanceId.1': 'i-00000000000000bad' })
  const metrics = (await cloud.cloud.healthDoor.inject('/metrics')).body
  const counted = (labels: string) =>
    metrics.includes(`mallee_api_request_duration_seconds_count{${labels}} 1`)
  expect(counted('service="ec2",action="DescribeInstances",code="Success"')).toBe(true)
  expect(counted('service="ec2",action="DescribeInstances",code="InvalidInstanceID.NotFound"')).toBe(true)
  expect(counted('service="ec2",action="unknown",code="InvalidAction"')).toBe(true)
  expect(metrics).not.toContain('MadeUpByTheClient')
  expect(metrics).toContain('mallee_agents{kind="node",zone="us-east-1a",state="enabled"} 1')
  expect(metrics).toContain('mallee_node_vcpus{node="one",zone="us-east-1a"} 64')
  const ready = await cloud.cloud.healthDoor.inject('/readyz')
  expect(ready.json()).toEqual({
    ready: true,
    checks: { record: null, loops: null, clock: null },
    launchesWouldSucceed: false,
  })
  await Promise.all(Object.values(cloud.cloud.reconcilers).map((queue) => queue.stop()))
  const stopped = await cloud.cloud.healthDoor.inject('/readyz')
  expect([stopped.statusCode, (stopped.json() as { checks: { loops: string } }).checks.loops]).toEqual([
    503,
    expect.stringContaining('instances'),
  ])
})

test('who was refused on it is a part of its history, whoever it was', async () => {
  const run = await cloud.call('RunInstances', { ImageId: image, MinCount: 1, MaxCount: 1 })
  const id = run.xml.instancesSet.item[0].instanceId as string
  const other = await cloud.createAccount('other')
  const refused = await cloud.call('TerminateInstances', { 'InstanceId.1': id }, { as: other })
  await cloud.call('DescribeInstances', { 'InstanceId.1': id })
  expect(await history(id)).toMatchObject([
    { what: 'RunInstances', kind: 'action' },
    {
      ...{ what: 'TerminateInstances', kind: 'refused', by: 'other/root' },
      ...{ requestId: refused.requestId, reason: 'refused: InvalidInstanceID.NotFound' },
    },
  ])
})
