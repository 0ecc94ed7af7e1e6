import { rm } from 'node:fs/promises'
import { seededRandom } from '@mallee/base'
import { expect, test } from 'vitest'
import { allGuards } from './guards.ts'
import { MachineClock, SimulatedClock } from './simulated-clock.ts'
import { makeTemplate, SimulatedCloud } from './simulated-cloud.ts'
import { SimulatedNetwork } from './simulated-network.ts'
import { SimulatedNode } from './simulated-node.ts'

const seeds = [1, 2, 3]
const outsider = '203.0.113.9'

test.each(seeds)(
  'networks stay as they are while the cloud controller is away for an hour, and follow it when it is back (seed %i)',
  async (seed) => {
    const random = seededRandom(seed)
    const truth = new SimulatedClock()
    const template = await makeTemplate(truth, random, 3)
    const cloud = await SimulatedCloud.start(template.dir, { truth, random, guards: allGuards })
    try {
      await anHourWithout(cloud, { template: template.nodeIds, random, truth })
    } finally {
      await cloud.stop()
      await rm(template.dir, { recursive: true, force: true })
    }
  },
)

async function anHourWithout(
  cloud: SimulatedCloud,
  options: { template: readonly string[]; random: ReturnType<typeof seededRandom>; truth: SimulatedClock },
): Promise<void> {
  const { random, truth } = options
  const nodes = options.template.map(
    (id) =>
      new SimulatedNode({
        ...{ id, clock: new MachineClock(truth), random: neverUnlucky, guards: allGuards },
        onForcedEnd: (guest) => expect.fail(`${guest} was ended`),
        onHopeless: (guest) => expect.fail(`${guest} could not be launched`),
      }),
  )
  const networks = nodes.map((node) => new SimulatedNetwork(node))
  for (const node of nodes) await cloud.report(node.id, node.report())
  const group = /<groupId>(sg-[0-9a-f]+)/.exec((await cloud.call('DescribeSecurityGroups', {})).body)![1]!
  await rule(cloud, 'AuthorizeSecurityGroupIngress', group, 22)
  await rule(cloud, 'AuthorizeSecurityGroupIngress', group, 80)
  expect((await cloud.run(9, 'before')).status).toBe(200)
  await settle(cloud, networks, truth)
  const guests = [...new Set(networks.flatMap(addressesOf))]
  expect(guests.length).toBe(9)
  // Every guest talks to every other, which the group allows its members, and to somebody outside, by two rules.
  for (const network of networks) {
    for (const destination of guests) {
      for (const source of guests.filter((other) => other < destination))
        network.connect({ source, destination, destinationPort: 5_432 })
      for (const destinationPort of [22, 80])
        if (addressesOf(network).includes(destination))
          network.connect({ source: outsider, destination, destinationPort })
    }
    expect(network.flows.length).toBeGreaterThan(10)
  }
  const rules = networks.map((network) => network.rendered.texts)
  const flows = networks.map((network) => network.flows)

  // Acknowledged, and heard by no node yet.
  await rule(cloud, 'AuthorizeSecurityGroupIngress', group, 443)
  await cloud.close()
  for (let minute = 0; minute < 60; minute += 1) {
    truth.advance(60_000)
    const network = networks[Math.floor(random.fraction() * networks.length)]!
    network.restart()
    await network.refresh()
    network.node.settle()
    expect(networks.map((one) => one.rendered.texts)).toEqual(rules)
    expect(networks.map((one) => one.flows)).toEqual(flows)
  }
  await cloud.open()
  await settle(cloud, networks, truth)
  for (const [index, network] of networks.entries()) {
    expect(network.rendered.texts['node']).toContain('dport 443')
    expect(network.flows).toEqual(flows[index])
    expect(network.cut).toEqual([])
    expect(network.node.domains.size).toBeGreaterThan(0)
  }
  expect(/<name>(?!running)[a-z-]+<\/name>/.exec((await cloud.call('DescribeInstances', {})).body)).toBeNull()

  // What is revoked is cut, and nothing else: so a flow that should not have been cut would have been missed.
  await rule(cloud, 'RevokeSecurityGroupIngress', group, 80)
  await settle(cloud, networks, truth)
  for (const [index, network] of networks.entries()) {
    expect(network.cut.length).toBe(addressesOf(network).length)
    expect(network.flows).toEqual(flows[index]!.filter((flow) => flow.destinationPort !== 80))
  }
}

/** No image is bad, and no guest slow to shut down: this is not what is looked at here. */
const neverUnlucky = { fraction: () => 0.99 } as ReturnType<typeof seededRandom>

const addressesOf = (network: SimulatedNetwork) =>
  network.rendered.plan.ports.flatMap((port) => port.addresses.map(({ privateIp }) => privateIp))

async function rule(cloud: SimulatedCloud, action: string, group: string, port: number): Promise<void> {
  const answer = await cloud.call(action, {
    GroupId: group,
    'IpPermissions.1.IpProtocol': 'tcp',
    'IpPermissions.1.FromPort': port,
    'IpPermissions.1.ToPort': port,
    'IpPermissions.1.IpRanges.1.CidrIp': '0.0.0.0/0',
  })
  expect(answer.body).toContain('<return>true</return>')
}

/** Until nobody has anything new to hear or to say. */
async function settle(
  cloud: SimulatedCloud,
  networks: readonly SimulatedNetwork[],
  truth: SimulatedClock,
): Promise<void> {
  for (let round = 0; round < 6; round += 1) {
    truth.advance(61_000)
    await cloud.scan()
    for (const network of networks) {
      const { node } = network
      const set = await cloud.desired(node.id, node.heldRevision)
      if (set) node.accept(set)
      await network.refresh()
      node.settle()
      await cloud.report(node.id, node.report())
    }
  }
}
