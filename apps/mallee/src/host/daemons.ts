import { hostname, networkInterfaces } from 'node:os'
import path from 'node:path'
import { busyWords, nodeWords } from './node-words.ts'
import { insideNode, libvirtSocket } from './node-host.ts'
import type { Layout } from '../layout.ts'

/** One program that the supervisor keeps running. */
export interface DaemonSpec {
  readonly name: string
  /** Made anew for every start: namespaces may have changed. */
  command(): Promise<readonly string[]>
  /** Milliseconds between asking it to stop and ending it. */
  readonly graceMs: number
}

/** The daemons of an embedded cloud, in the order of their start; they stop in the reverse order. */
export function daemonSpecs(layout: Layout): DaemonSpec[] {
  if (layout.choices.oneProcess) return [libvirtd(layout), nameServer(layout), oneProcess(layout)]
  return [
    libvirtd(layout),
    nameServer(layout),
    ours(layout, 'cloud-controller', 'apps/cloud-controller'),
    ours(layout, 'walrus', 'apps/walrus', [], busyWords),
    ours(layout, 'storage-controller', 'apps/storage-controller'),
    ours(layout, 'node-controller', 'apps/node-controller', ['nsenter', `--net=/run/netns/${layout.netns}`]),
    ours(layout, 'front-door', 'packages/front-door'),
  ]
}

/** The same daemons in one process, in the node's namespace. */
function oneProcess(layout: Layout): DaemonSpec {
  const script = path.join(layout.root, 'apps/mallee/src/one-process-main.ts')
  const words = [...nodeWords, script, layout.stateDir]
  const within = ['nsenter', `--net=/run/netns/${layout.netns}`]
  return { name: 'mallee', graceMs: 12_000, command: () => Promise.resolve([...within, ...words]) }
}

/**
 * One of our own programs, with its configuration file; `within` are the words that put it into a namespace, `more` are
 * Node.js's.
 */
export function ours(
  at: { readonly root: string; readonly stateDir: string },
  name: string,
  workspace: string,
  within: readonly string[] = [],
  more: readonly string[] = [],
): DaemonSpec {
  const script = path.join(at.root, workspace, 'src/main.ts')
  const config = path.join(at.stateDir, 'config', `${name}.json`)
  const command = [...within, ...nodeWords, ...more, script, config]
  return { name, graceMs: 12_000, command: () => Promise.resolve(command) }
}

/**
 * On some virtual machines CPUID differs from core to core, and libvirt then throws away what it knows of QEMU and
 * probes for seconds at every start: it stays on one core. QEMU itself is given all of them by libvirt. When what
 * entered the namespaces dies, libvirtd is told.
 */
function libvirtd(layout: Layout): DaemonSpec {
  return {
    name: 'libvirtd',
    graceMs: 5_000,
    command: async () => [
      ...(await insideNode(layout)),
      ...['setpriv', '--pdeathsig', 'TERM'],
      ...libvirtdWords,
    ],
  }
}

const nameServerPort = 8753

/**
 * The node has a network of its own, where the machine's name servers need not be reachable: what listens on this
 * machine alone is not. It asks this one, which asks those of /etc/resolv.conf.
 */
function nameServer(layout: Layout): DaemonSpec {
  const words = [
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--pid-file=', '--log-facility=-'],
    ...['--user=nobody', '--group=nogroup', '--no-hosts', '--domain-needed', '--dns-forward-max=1000'],
    ...['--bind-interfaces', `--listen-address=${layout.hostAddress}`, `--port=${nameServerPort}`],
  ]
  return { name: 'name-server', graceMs: 2_000, command: () => Promise.resolve(words) }
}

/** The machine's own libvirtd, where neither systemd nor anybody else runs it. */
export function libvirtdOfThisMachine(): DaemonSpec {
  return { name: 'libvirtd', graceMs: 5_000, command: () => Promise.resolve(libvirtdWords) }
}

const libvirtdWords = ['taskset', '-c', '0', '/usr/sbin/libvirtd', '-p', '/run/libvirt/mallee-libvirtd.pid']

/** The configuration file of each daemon of ours. */
export function daemonConfigs(layout: Layout): Record<string, object> {
  const { ports, choices } = layout
  const hostAddress = choices.oneProcess ? '127.0.0.1' : layout.hostAddress
  return {
    'cloud-controller': {
      stateDir: layout.file('cloud'),
      database: { engine: 'sqlite', file: layout.file('cloud', 'record.db') },
      door: { socket: layout.file('run', 'door.sock') },
      agents: { host: '0.0.0.0', port: ports.agents },
      admin: { host: layout.doorAddress, port: ports.admin },
      adminSocket: adminSocket(layout),
      region: choices.region,
      availabilityZones: choices.availabilityZones,
      publicPool: choices.publicPool,
      ...(choices.legacy ? { legacySignatures: true } : {}),
      endpoint: `http://${layout.doorAddress}:${ports.door}`,
      publicNames: publicNames(layout),
    },
    walrus: {
      dir: layout.file('walrus', 'agent'),
      dataDir: layout.file('walrus', 'data'),
      cloudUrl: `https://127.0.0.1:${ports.agents}`,
      joinTokenFile: layout.file('walrus', 'join-token'),
      name: 'walrus',
      listen: { host: '0.0.0.0', port: ports.walrus },
      region: choices.region,
    },
    'storage-controller': {
      dir: layout.file('storage', 'agent'),
      dataDir: layout.file('storage', 'data'),
      cloudUrl: `https://127.0.0.1:${ports.agents}`,
      walrusUrl: `https://127.0.0.1:${ports.walrus}`,
      joinTokenFile: layout.file('storage', 'join-token'),
      name: 'storage',
      runDir: storageRunDir(layout),
      portal: { host: '0.0.0.0', port: ports.iscsi },
    },
    'node-controller': {
      dir: layout.file('node', 'agent'),
      cloudUrl: `https://${hostAddress}:${ports.agents}`,
      walrusUrl: `https://${hostAddress}:${ports.walrus}`,
      joinTokenFile: layout.file('node', 'join-token'),
      name: choices.nodeName ?? 'node',
      instancesDir: layout.file('node', 'instances'),
      imagesDir: layout.file('node', 'images'),
      customDir: layout.file('etc'),
      hypervisor: {
        driver: 'libvirt',
        socket: libvirtSocket(layout),
        logDir: layout.file('host', 'log', 'qemu'),
      },
      network: {
        driver: 'linux',
        uplink: 'uplink',
        runDir: layout.file('node', 'network'),
        publicPool: choices.publicPool,
        nameServers: [`${layout.hostAddress}#${nameServerPort}`],
      },
    },
    'front-door': {
      listen: { host: '0.0.0.0', port: ports.door },
      cloud: { socketPath: layout.file('run', 'door.sock') },
      walrus: { host: '127.0.0.1', port: ports.walrus },
      tlsFile: layout.file('cloud', 'pki', 'door.pem'),
    },
  }
}

/** Where the target daemon and what holds its file system leave their marks: both outlive the storage controller. */
export function storageRunDir(layout: Pick<Layout, 'file'>): string {
  return layout.file('storage', 'run')
}

/** Under what names clients may reach the door: whatever this machine calls itself, and its addresses as of now. */
function publicNames(layout: Layout): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter((entry) => entry.family === 'IPv4')
    .map((entry) => entry.address)
  return [...new Set([hostname(), layout.hostAddress, layout.nodeAddress, ...addresses])]
    .filter((name) => name !== '127.0.0.1' && /^[A-Za-z0-9.-]{1,253}$/.test(name))
    .slice(0, 50)
}

export function adminSocket(layout: Layout): string {
  return layout.file('run', 'admin.sock')
}
