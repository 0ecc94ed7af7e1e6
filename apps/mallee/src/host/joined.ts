import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { AgentKind } from '@mallee/agent-contract'
import { repositoryRoot } from '../layout.ts'
import { libvirtdOfThisMachine, ours, type DaemonSpec } from './daemons.ts'

/**
 * A machine that joined somebody's cloud: one agent, in the machine's own namespaces, with the machine's own libvirtd
 * and network (DECISIONS 24). What was chosen when it joined is kept in its state folder.
 */
export interface Joined {
  readonly version: 1
  readonly kind: AgentKind
  readonly name: string
  readonly availabilityZone: string
  readonly region: string
  readonly cloudUrl: string
  readonly walrusUrl: string
  readonly publicPool: string
  /** The link by which guests leave the machine; nodes only. */
  readonly uplink: string | null
  /** Whether the supervisor runs libvirtd here, because nothing else on this machine does. */
  readonly runsLibvirtd: boolean
  /** TCP port that walrus serves; walrus only. */
  readonly walrusPort: number
  /** Where nodes reach this machine; storage controllers only. */
  readonly address?: string
}

export function joinedFile(stateDir: string): string {
  return path.join(stateDir, 'joined.json')
}

export function readJoined(stateDir: string): Joined | null {
  const file = joinedFile(stateDir)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Joined) : null
}

export const ownLibvirtSocket = '/run/libvirt/libvirt-sock'

const daemonOf: Readonly<Record<AgentKind, string>> = {
  node: 'node-controller',
  storage: 'storage-controller',
  walrus: 'walrus',
}

export function joinedConfigFile(stateDir: string, kind: AgentKind): string {
  return path.join(stateDir, 'config', `${daemonOf[kind]}.json`)
}

export function joinedDaemons(stateDir: string, joined: Joined): DaemonSpec[] {
  const name = daemonOf[joined.kind]
  const agent = ours({ root: repositoryRoot, stateDir }, name, `apps/${name}`)
  return joined.runsLibvirtd ? [libvirtdOfThisMachine(), agent] : [agent]
}

/** The configuration of the one daemon, by its name. */
export function joinedConfigs(stateDir: string, joined: Joined): Record<string, object> {
  const file = (...parts: string[]) => path.join(stateDir, ...parts)
  const agent = {
    dir: file('agent'),
    cloudUrl: joined.cloudUrl,
    joinTokenFile: file('join-token'),
    name: joined.name,
  }
  switch (joined.kind) {
    case 'storage':
      return {
        'storage-controller': {
          ...agent,
          walrusUrl: joined.walrusUrl,
          dataDir: file('data'),
          runDir: file('run-storage'),
          portal: {
            host: '0.0.0.0',
            port: 3260,
            ...(joined.address === undefined ? {} : { advertise: joined.address }),
          },
        },
      }
    case 'walrus':
      return {
        walrus: {
          ...agent,
          dataDir: file('data'),
          listen: { host: '0.0.0.0', port: joined.walrusPort },
          region: joined.region,
        },
      }
    case 'node':
      return {
        'node-controller': {
          ...agent,
          walrusUrl: joined.walrusUrl,
          instancesDir: file('instances'),
          imagesDir: file('images'),
          customDir: file('etc'),
          hypervisor: {
            driver: 'libvirt',
            socket: ownLibvirtSocket,
            logDir: '/var/log/libvirt/qemu',
          },
          network: {
            driver: 'linux',
            uplink: joined.uplink,
            runDir: file('network'),
            publicPool: joined.publicPool,
          },
        },
      }
  }
}
