import path from 'node:path'
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

const node = process.execPath
const typeScript = ['--disable-warning=ExperimentalWarning']

/** The daemons of an embedded cloud, in the order of their start; they stop in the reverse order. */
export function daemonSpecs(layout: Layout): DaemonSpec[] {
  const app = (...parts: string[]) => path.join(layout.root, ...parts)
  const config = (name: string) => layout.file('config', `${name}.json`)
  return [
    {
      name: 'libvirtd',
      graceMs: 5_000,
      // On some virtual machines CPUID differs from core to core, and libvirt then throws away what it knows of QEMU and
      // probes for seconds at every start: it stays on one core. QEMU itself is given all of them by libvirt. When what
      // entered the namespaces dies, libvirtd is told.
      command: async () => [
        ...(await insideNode(layout)),
        ...['taskset', '-c', '0', 'setpriv', '--pdeathsig', 'TERM'],
        '/usr/sbin/libvirtd',
        '-p',
        '/run/libvirt/mallee-libvirtd.pid',
      ],
    },
    {
      name: 'cloud-controller',
      graceMs: 12_000,
      command: () =>
        Promise.resolve([
          node,
          ...typeScript,
          app('apps/cloud-controller/src/main.ts'),
          config('cloud-controller'),
        ]),
    },
    {
      name: 'walrus',
      graceMs: 12_000,
      command: () => Promise.resolve([node, ...typeScript, app('apps/walrus/src/main.ts'), config('walrus')]),
    },
    {
      name: 'node-controller',
      graceMs: 12_000,
      command: () =>
        Promise.resolve([
          'nsenter',
          `--net=/run/netns/${layout.netns}`,
          node,
          ...typeScript,
          app('apps/node-controller/src/main.ts'),
          config('node-controller'),
        ]),
    },
    {
      name: 'front-door',
      graceMs: 5_000,
      command: () =>
        Promise.resolve([node, ...typeScript, app('packages/front-door/src/main.ts'), config('front-door')]),
    },
  ]
}

/** The configuration file of each daemon of ours. */
export function daemonConfigs(layout: Layout): Record<string, object> {
  const { ports, hostAddress, choices } = layout
  return {
    'cloud-controller': {
      stateDir: layout.file('cloud'),
      database: { engine: 'sqlite', file: layout.file('cloud', 'record.db') },
      door: { socket: layout.file('run', 'door.sock') },
      agents: { host: '0.0.0.0', port: ports.agents },
      admin: { host: '127.0.0.1', port: ports.admin },
      adminSocket: adminSocket(layout),
      region: choices.region,
      availabilityZones: choices.availabilityZones,
      publicPool: choices.publicPool,
      endpoint: `http://127.0.0.1:${ports.door}`,
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
    'node-controller': {
      dir: layout.file('node', 'agent'),
      cloudUrl: `https://${hostAddress}:${ports.agents}`,
      walrusUrl: `https://${hostAddress}:${ports.walrus}`,
      joinTokenFile: layout.file('node', 'join-token'),
      name: 'node',
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
      },
    },
    'front-door': {
      listen: { host: '0.0.0.0', port: ports.door },
      cloud: { socketPath: layout.file('run', 'door.sock') },
      walrus: { host: '127.0.0.1', port: ports.walrus },
    },
  }
}

export function adminSocket(layout: Layout): string {
  return layout.file('run', 'admin.sock')
}
