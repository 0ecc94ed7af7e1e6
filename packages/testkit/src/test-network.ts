/**
 * A fake machine for network tests: a namespace that plays the host, one that plays the node, joined as the embedded
 * cloud joins them, and guests that are namespaces too. A guest's link appears in the node under the tap's name and in
 * the bridge, as libvirt would do it. Nothing of the machine's own network is touched, and packets cannot leave.
 */
import { randomBytes } from 'node:crypto'
import { run, runs } from './program.ts'
import { startTestGuest, type TestGuest } from './test-guest.ts'

/** RFC 2544's range for measurements; in namespaces only. */
export const testPublicPool = '198.19.77.0/24'
export const testHostAddress = '198.19.77.1'
export const testNodeAddress = '198.19.77.2'

export interface TestNetwork {
  /** Name under /run/netns of the node's namespace; its way out is called `uplink`. */
  readonly node: string
  /** A neighbour outside of the cloud; the pool is routed to the node from here. */
  readonly host: TestGuest
  /** Plugs a guest in; it has a MAC and no address. Its namespace ends with `remove`. */
  addGuest(options: { bridge: string; tap: string; mac: string }): Promise<TestGuest>
  /** A guest's guest, as a container is: one hop further, behind the guest's own translation. */
  addInner(guest: TestGuest): Promise<TestGuest>
  /** A process in the node's own namespace. */
  addNodeProcess(): Promise<TestGuest>
  /** Runs a program in one of the namespaces. */
  exec(namespace: string, file: string, args: readonly string[], input?: string): Promise<string>
  remove(): Promise<void>
}

/** Why such networks cannot be made here, or null where they can. */
export function whyNoTestNetwork(): string | null {
  if (process.getuid?.() !== 0) return 'it takes root'
  const name = `mlt-${randomBytes(3).toString('hex')}`
  if (!runs('ip', ['netns', 'add', name])) return 'no network namespaces can be made'
  runs('ip', ['netns', 'del', name])
  for (const [file, ...args] of [
    ['nft', '--version'],
    ['dnsmasq', '--version'],
    ['conntrack', '--version'],
    ['busybox', 'true'],
  ])
    if (!runs(file!, args)) return `${file} is not installed`
  return null
}

export async function makeTestNetwork(): Promise<TestNetwork> {
  const prefix = `mlt-${randomBytes(3).toString('hex')}`
  const hostName = `${prefix}h`
  const node = `${prefix}n`
  const guests: TestGuest[] = []
  const remove = () => removeNamespaces(prefix, guests)
  try {
    await makeNamespaces(hostName, node)
    const host = await startTestGuest(hostName)
    guests.push(host)
    return {
      node,
      host,
      remove,
      exec: (namespace, file, args, input) =>
        run(
          'nsenter',
          [`--net=/run/netns/${namespace}`, file, ...args],
          input === undefined ? {} : { input },
        ),
      async addGuest({ bridge, tap, mac }) {
        const name = `${prefix}g${guests.length}`
        await plugIn({ node, guest: name, bridge, tap, mac })
        const guest = await startTestGuest(name)
        guests.push(guest)
        return guest
      },
      async addInner(guest) {
        const name = `${guest.namespace}i`
        await run('ip', ['netns', 'add', name])
        await guest.exec('sh', ['-e', '-c', innerScript(name)])
        const inner = await startTestGuest(name)
        guests.push(inner)
        await inner.ip(
          'link set eth0 up',
          'addr add 10.99.0.2/24 dev eth0',
          'route add default via 10.99.0.1',
        )
        return inner
      },
      async addNodeProcess() {
        const process = await startTestGuest(node)
        guests.push(process)
        return process
      },
    }
  } catch (error) {
    await remove()
    throw error
  }
}

/** Ends the guests, and whatever else lives in namespaces of this prefix, and the namespaces. */
export async function removeNamespaces(prefix: string, guests: readonly TestGuest[]): Promise<void> {
  await Promise.all(guests.map((guest) => guest.end()))
  const names = (await run('ip', ['netns', 'list'])).split('\n').map((line) => line.split(' ')[0]!)
  const own = names.filter((name) => name.startsWith(prefix))
  // A driver that was not asked to remove its own leaves daemons behind; a namespace lives as long as they do.
  for (const name of own)
    for (const pid of (await run('ip', ['netns', 'pids', name])).split('\n').filter(Boolean)) end(Number(pid))
  await run('ip', ['-batch', '-'], { input: own.map((name) => `netns del ${name}\n`).join('') })
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it ended by itself
  }
}

const innerScript = (name: string) => `
  ip link add inner type veth peer name eth0 netns ${name}
  ip addr add 10.99.0.1/24 dev inner
  ip link set inner up
  echo 1 > /proc/sys/net/ipv4/ip_forward
  nft 'table ip t { chain p { type nat hook postrouting priority 100; oifname eth0 masquerade; }; }'`

export const quietIpv6 = 'for f in all default; do echo 1 > /proc/sys/net/ipv6/conf/$f/disable_ipv6; done'

async function makeNamespaces(host: string, node: string): Promise<void> {
  const lines = [
    `netns add ${host}`,
    `netns add ${node}`,
    // Room for tunnels, as between the nodes of a production network.
    `link add uplink mtu 1550 netns ${node} type veth peer name inward mtu 1550 netns ${host}`,
  ]
  await run('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n` })
  const inside = (name: string, script: string) =>
    run('nsenter', [`--net=/run/netns/${name}`, 'sh', '-e', '-c', script])
  await inside(
    node,
    `${quietIpv6}
    ip link set lo up; ip link set uplink up
    ip addr add ${testNodeAddress}/32 peer ${testHostAddress}/32 dev uplink
    ip route add default via ${testHostAddress}`,
  )
  await inside(
    host,
    `${quietIpv6}
    ip link set lo up; ip link set inward up
    ip addr add ${testHostAddress}/32 peer ${testNodeAddress}/32 dev inward
    ip route add ${testPublicPool} via ${testNodeAddress}`,
  )
}

export async function plugIn(options: {
  node: string
  guest: string
  bridge: string
  tap: string
  mac: string
  /** Bytes. */
  mtu?: number
}): Promise<void> {
  const { node, guest, bridge, tap, mac, mtu = 1500 } = options
  const lines = [
    `netns add ${guest}`,
    `link add ${tap} mtu ${mtu} netns ${node} type veth peer name eth0 address ${mac} mtu ${mtu} netns ${guest}`,
  ]
  await run('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n` })
  await run('ip', ['-n', node, '-batch', '-'], {
    input: `link set ${tap} master ${bridge}\nlink set ${tap} up\n`,
  })
  await run('ip', ['-n', guest, '-batch', '-'], { input: 'link set lo up\nlink set eth0 up\n' })
}
