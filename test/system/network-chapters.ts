import { readFileSync, writeFileSync } from 'node:fs'
import { assert } from '@mallee/base'
import { until, type Guest } from '@mallee/testkit'
import { gone, inNode, reachable, type Json, type Story, type StoryChapters } from './launches.ts'

/** A VPC as an architect draws it: a public subnet, a private one, and a NAT gateway between it and the world. */
interface OwnVpc {
  readonly vpc: string
  readonly open: string
  readonly closed: string
  readonly group: string
  readonly internet: string
  readonly nat: string
  readonly natAllocation: string
  readonly tables: readonly string[]
}

let own: OwnVpc
let front: Guest
let backId: string
let before: string

/** What stands on the node, without what lives and dies by itself. */
const standing = (story: Story) =>
  inNode(
    story,
    'sh',
    '-c',
    "ip -br link | sed 's/@.*//' | cut -d' ' -f1 | sort; ip neigh show proxy; ip route show proto 190; ls /run/netns | grep mallee | sort",
  )

const ec2 = ({ client }: Story, ...words: string[]): Promise<Json> => client.aws('ec2', ...words)

async function subnetOf(story: Story, vpc: string, cidr: string): Promise<string> {
  const made = await ec2(story, 'create-subnet', '--vpc-id', vpc, '--cidr-block', cidr)
  return made.Subnet.SubnetId as string
}

async function tableFor(story: Story, vpc: string, subnet: string, ...target: string[]): Promise<string> {
  const { RouteTable: table } = await ec2(story, 'create-route-table', '--vpc-id', vpc)
  const id = table.RouteTableId as string
  await ec2(story, 'create-route', '--route-table-id', id, '--destination-cidr-block', '0.0.0.0/0', ...target)
  await ec2(story, 'associate-route-table', '--route-table-id', id, '--subnet-id', subnet)
  return id
}

async function makeVpc(story: Story): Promise<OwnVpc> {
  const { Vpc } = await ec2(story, 'create-vpc', '--cidr-block', '10.20.0.0/16')
  const vpc = Vpc.VpcId as string
  const open = await subnetOf(story, vpc, '10.20.1.0/24')
  const closed = await subnetOf(story, vpc, '10.20.2.0/24')
  const internet = (await ec2(story, 'create-internet-gateway')).InternetGateway.InternetGatewayId as string
  await ec2(story, 'attach-internet-gateway', '--internet-gateway-id', internet, '--vpc-id', vpc)
  const toWorld = await tableFor(story, vpc, open, '--gateway-id', internet)
  const { AllocationId: natAllocation } = await ec2(story, 'allocate-address', '--domain', 'vpc')
  const made = await ec2(
    story,
    ...['create-nat-gateway', '--subnet-id', open, '--allocation-id', natAllocation],
  )
  const nat = made.NatGateway.NatGatewayId as string
  const toNat = await tableFor(story, vpc, closed, '--nat-gateway-id', nat)
  const named = ['--group-name', 'vpc-story', '--description', 'story', '--vpc-id', vpc]
  const { GroupId: group } = await ec2(story, 'create-security-group', ...named)
  const allow = ['authorize-security-group-ingress', '--group-id', group, '--protocol', 'tcp']
  await ec2(story, ...allow, '--port', '22', '--cidr', '0.0.0.0/0')
  return { vpc, open, closed, group, internet, nat, natAllocation, tables: [toWorld, toNat] }
}

/** Says its name to whoever listens outside, once a second: it has no way to be asked. */
const caller = (address: string, port: number) => `#!/bin/sh
(while true; do echo back | timeout 3 nc ${address} ${port}; sleep 1; done) >/dev/null 2>&1 &
`

interface Listener {
  readonly port: number
  /** Whoever called so far, as seen from there. */
  heard(): string[]
  end(): void
}

/** A program outside of the cloud, on the test's own machine; who calls is written to a file. */
function listener(story: Story): Listener {
  const [port, file] = [8099, `${story.host.stateDir}/callers`]
  writeFileSync(file, '')
  const program = `
    const { appendFileSync } = require('node:fs')
    require('node:net').createServer((socket) => {
      appendFileSync(${JSON.stringify(file)}, socket.remoteAddress.replace('::ffff:', '') + '\\n')
      socket.on('error', () => {})
      socket.end('hello')
    }).listen(${port}, '0.0.0.0')`
  const child = story.host.start(process.execPath, ['-e', program])
  return {
    port,
    heard: () => readFileSync(file, 'utf8').split('\n').filter(Boolean),
    end: () => void child.kill(),
  }
}

/** Whether a guest gets a banner of ssh there. */
const greets = async (story: Story, from: Guest, address: string): Promise<boolean> =>
  (
    await story.client.ssh(from.publicIp, `timeout 4 nc ${address} 22 </dev/null | head -c 3`)
  ).stdout.trim() === 'SSH'

export const networks: StoryChapters = {
  async 'a VPC of one’s own: in by an elastic address, out by a NAT gateway, and nothing else'(story) {
    before = await standing(story)
    own = await makeVpc(story)
    await until(
      'the NAT gateway is there',
      30,
      async () =>
        (await ec2(story, 'describe-nat-gateways', '--nat-gateway-ids', own.nat)).NatGateways[0].State ===
        'available',
    )
    const outside = listener(story)
    try {
      const host = (
        await story.host.must('sh', ['-c', "ip -br -4 addr | awk '/198\\.1[89]/ { print $3 }' | head -1"])
      )
        .trim()
        .split('/')[0]!
      const at = (subnet: string) => ['--subnet-id', subnet, '--security-group-ids', own.group]
      const [frontId] = (await launchBare(story, ...at(own.open))) as [string]
      ;[backId] = (await launchBare(story, ...at(own.closed), '--user-data', caller(host, outside.port))) as [
        string,
      ]
      const { AllocationId: allocation } = await ec2(story, 'allocate-address', '--domain', 'vpc')
      await until(
        'the elastic address is its own',
        60,
        async () =>
          (
            await story.client
              .aws('ec2', 'associate-address', '--instance-id', frontId, '--allocation-id', allocation)
              .catch(() => ({}))
          ).AssociationId,
      )
      ;[front] = (await reachable(story, [frontId])) as [Guest]
      const { Addresses } = await ec2(story, 'describe-addresses', '--allocation-ids', own.natAllocation)
      const seen = await until('back calls', 120, () => Promise.resolve(outside.heard().at(-1)))
      assert(seen === Addresses[0].PublicIp, `it is seen as ${seen}`)
    } finally {
      outside.end()
    }
    const [back] = await story.client.guests(backId)
    assert(back!.publicIp === '', 'the private guest has a public address')
    await until('front reaches back', 60, () => greets(story, front, back!.privateIp))
  },

  async 'a network ACL that denies is felt at once, and so is a rule that is taken back'(story) {
    const [back] = await story.client.guests(backId)
    const of = ['--filters', `Name=association.subnet-id,Values=${own.closed}`]
    const acl = (await ec2(story, 'describe-network-acls', ...of)).NetworkAcls[0].NetworkAclId as string
    const entry = ['--network-acl-id', acl, '--rule-number', '10', '--ingress']
    const what = ['--protocol', 'tcp', '--port-range', 'From=22,To=22', '--cidr-block', '10.20.1.0/24']
    await ec2(story, 'create-network-acl-entry', ...entry, ...what, '--rule-action', 'deny')
    await until('it is denied', 20, async () => !(await greets(story, front, back!.privateIp)))
    await ec2(story, 'delete-network-acl-entry', ...entry)
    await until('it is allowed', 20, () => greets(story, front, back!.privateIp))
  },

  async 'an interface is plugged into a guest that runs, gets its address, and is taken out again'(story) {
    const made = await ec2(
      story,
      ...['create-network-interface', '--subnet-id', own.closed, '--groups', own.group],
    )
    const eni = made.NetworkInterface
    const attach = ['--network-interface-id', eni.NetworkInterfaceId, '--instance-id', front.id]
    const { AttachmentId: id } = await ec2(
      story,
      'attach-network-interface',
      ...attach,
      '--device-index',
      '1',
    )
    const state = async () =>
      (await ec2(story, 'describe-network-interfaces', '--network-interface-ids', eni.NetworkInterfaceId))
        .NetworkInterfaces[0]
    await until('it is attached', 30, async () => (await state()).Attachment?.Status === 'attached')
    const link = await until('the guest sees it', 30, async () => {
      const said = await story.client.ssh(
        front.publicIp,
        `grep -l ${eni.MacAddress} /sys/class/net/*/address`,
      )
      return said.stdout.trim().split('/')[4]
    })
    // The image has no script for a second interface; a distribution's would do the same.
    const script = `printf '#!/bin/sh\\n[ "$1" = bound ] && ip addr add $ip/$mask dev $interface\\n' > /tmp/lease; chmod +x /tmp/lease`
    const lease = `ip link set ${link} up && udhcpc -i ${link} -n -q -s /tmp/lease`
    await story.client.inGuest(front.publicIp, `${script}; ${lease}`)
    const address = await story.client.inGuest(front.publicIp, `ip -4 addr show dev ${link}`)
    assert(address.includes(`${eni.PrivateIpAddress}/24`), `it has ${address}`)
    await ec2(story, 'detach-network-interface', '--attachment-id', id)
    await until('it is free', 60, async () => (await state()).Status === 'available')
    const left = await story.client.ssh(front.publicIp, `grep -l ${eni.MacAddress} /sys/class/net/*/address`)
    assert(left.stdout.trim() === '', 'the guest still has it')
    await ec2(story, 'delete-network-interface', '--network-interface-id', eni.NetworkInterfaceId)
  },

  async 'an elastic address moves to another guest, and says how soon'(story) {
    const [address] = (
      await ec2(story, 'describe-addresses', '--filters', `Name=instance-id,Values=${front.id}`)
    ).Addresses
    const [otherId] = (await launchBare(
      story,
      ...['--subnet-id', own.open, '--security-group-ids', own.group],
    )) as [string]
    const { AllocationId: spare, PublicIp: spareIp } = await ec2(story, 'allocate-address', '--domain', 'vpc')
    await until('it runs', 60, async () => (await story.client.guests(otherId))[0]!.state === 'running')
    const give = (allocation: string, instance: string) =>
      ec2(
        story,
        ...[
          'associate-address',
          '--allocation-id',
          allocation,
          '--instance-id',
          instance,
          '--allow-reassociation',
        ],
      )
    await give(spare, otherId)
    await until(
      'the other is reached',
      120,
      async () => (await story.client.ssh(spareIp, 'true', 8_000)).code === 0,
    )
    const name = (ip: string) => story.client.ssh(ip, 'hostname', 3_000)
    const was = (await name(address.PublicIp)).stdout.trim()
    await give(address.AllocationId, otherId)
    const movedAtMs = Date.now()
    await until('the other answers by it', 20, async () => {
      const said = await name(address.PublicIp)
      return said.code === 0 && said.stdout.trim() !== was
    })
    process.stdout.write(`        moved and logged in after ${Date.now() - movedAtMs} ms\n`)
    await ec2(story, 'release-address', '--allocation-id', spare).catch(() => {})
    await gone(story, [otherId])
    await ec2(story, 'release-address', '--allocation-id', address.AllocationId)
  },

  async 'and all of it goes, to the last link'(story) {
    assert(
      (await story.client.refusal('ec2', 'delete-vpc', '--vpc-id', own.vpc)) === 'DependencyViolation',
      'no refusal',
    )
    await gone(story, [front.id, backId])
    await ec2(story, 'delete-nat-gateway', '--nat-gateway-id', own.nat)
    await until('the NAT gateway is gone', 30, async () => {
      const said = await ec2(story, 'describe-nat-gateways', '--nat-gateway-ids', own.nat)
      return said.NatGateways[0]?.State === 'deleted'
    })
    await ec2(story, 'release-address', '--allocation-id', own.natAllocation)
    await ec2(story, 'delete-security-group', '--group-id', own.group)
    for (const subnet of [own.open, own.closed]) await ec2(story, 'delete-subnet', '--subnet-id', subnet)
    for (const table of own.tables) await ec2(story, 'delete-route-table', '--route-table-id', table)
    const gateway = ['--internet-gateway-id', own.internet]
    await ec2(story, 'detach-internet-gateway', ...gateway, '--vpc-id', own.vpc)
    await ec2(story, 'delete-internet-gateway', ...gateway)
    await ec2(story, 'delete-vpc', '--vpc-id', own.vpc)
    await until('the node is as it was', 30, async () => (await standing(story)) === before)
  },
}

/** Without the default VPC's group. */
async function launchBare(story: Story, ...more: string[]): Promise<string[]> {
  const images = await ec2(
    story,
    'describe-images',
    '--owners',
    'self',
    '--filters',
    'Name=name,Values=mallee-starter',
  )
  const what = ['--image-id', images.Images[0].ImageId, '--instance-type', 't1.micro', '--key-name', 'mallee']
  const made = await ec2(story, 'run-instances', ...what, ...more)
  return made.Instances.map((instance: Json) => instance.InstanceId as string)
}
