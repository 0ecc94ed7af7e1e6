import { createVerify } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { DomainItem } from '@mallee/agent-contract'
import { InstanceIdentity } from '../../src/identity/instance-identity.ts'
import { CloudUnderTest } from '../cloud-under-test.ts'

let cloud: CloudUnderTest
let nodeId: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  nodeId = await cloud.addNode('node')
})
afterEach(() => cloud.stop())

async function launch(): Promise<string> {
  const image = await cloud.plantImage(cloud.admin.accountId)
  const answer = await cloud.call('RunInstances', { ImageId: image, MinCount: 1, MaxCount: 1 })
  return answer.xml.instancesSet.item[0].instanceId as string
}

async function itemOf(instanceId: string): Promise<DomainItem | undefined> {
  const { bodies } = await cloud.desired('node', nodeId)
  const items = bodies.filter(({ kind }) => kind === 'domain').map(({ body }) => body as DomainItem)
  return items.find((item) => item.instanceId === instanceId)
}

const settled = (instanceId: string, good: (item: DomainItem) => boolean) =>
  expect.poll(async () => {
    const item = await itemOf(instanceId)
    return item !== undefined && good(item)
  })

test('a node gets the identity of its instance signed by the cloud, whose certificate everybody may ask for', async () => {
  const id = await launch()
  await settled(id, (item) => item.identity !== undefined).toBe(true)
  const { document, signature } = (await itemOf(id))!.identity!
  expect(JSON.parse(document)).toMatchObject({ instanceId: id, accountId: cloud.admin.accountId })
  const row = await cloud.cloud.record.read((db) =>
    db
      .selectFrom('bundling_key')
      .selectAll()
      .where('name', '=', 'instance-identity')
      .executeTakeFirstOrThrow(),
  )
  const verified = createVerify('sha256').update(document).verify(row.certificate, signature, 'base64')
  expect(verified).toBe(true)
  // Neither the key nor a signature is in the record's set.
  const kept = await cloud.cloud.record.read((db) => db.selectFrom('desired_item').selectAll().execute())
  expect(JSON.stringify(kept)).not.toContain(signature)
})

test('a node is told of every address and of every block of its guests’ VPC, as they come', async () => {
  const id = await launch()
  await settled(id, (item) => item.interfaces.length === 1).toBe(true)
  const { interfaceId, vpcId } = (await itemOf(id))!.interfaces[0]!
  expect((await itemOf(id))!.interfaces[0]).not.toHaveProperty('vpcCidrs')
  await cloud.call('AssociateVpcCidrBlock', { VpcId: vpcId, CidrBlock: '172.30.0.0/16' })
  await cloud.call('AssignPrivateIpAddresses', {
    NetworkInterfaceId: interfaceId,
    'PrivateIpAddress.1': '172.31.0.99',
  })
  await settled(id, ({ interfaces: [first] }) => {
    const blocks = first!.vpcCidrs?.join() === '172.31.0.0/16,172.30.0.0/16'
    return blocks && first!.secondary?.[0]?.privateIp === '172.31.0.99'
  }).toBe(true)
})

test('a key that could not be read is read with the next item', async () => {
  const id = await launch()
  await settled(id, (item) => item.interfaces.length === 1).toBe(true)
  const item = (await itemOf(id))!
  const { keyring, record } = cloud.cloud
  let isAway = true
  const read = (...work: Parameters<typeof record.read>) =>
    isAway ? Promise.reject(new Error('away')) : record.read(...work)
  const identity = new InstanceIdentity({ keyring, record: { read } as never })
  await expect(identity.of(item)).rejects.toThrow('away')
  isAway = false
  expect((await identity.of(item)).signature).toBe(item.identity!.signature)
})
