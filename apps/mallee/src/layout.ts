import { createHash } from 'node:crypto'
import { readFileSync, realpathSync } from 'node:fs'
import path from 'node:path'
import { MalleeError, formatIpv4, parseCidr, parseIpv4 } from '@mallee/base'

/** What was chosen when the cloud was made; kept in its state folder and the same ever after. */
export interface CloudChoices {
  readonly portBase: number
  readonly publicPool: string
  readonly region: string
  readonly availabilityZones: readonly string[]
  /** Name of the machine's own node where it is not simply `node`: a restored cloud has a new one. */
  readonly nodeName?: string
  /** All daemons of ours in one process, inside the node's namespace. */
  readonly oneProcess?: boolean
  /** Every account may sign by Signature Version 2. */
  readonly legacy?: boolean
}

export const defaultStateDir = '/var/lib/mallee'
export const defaultPortBase = 8773

/** Every name that one embedded cloud uses on its machine; two clouds share none of them. */
export interface Layout {
  readonly root: string
  readonly stateDir: string
  readonly choices: CloudChoices
  readonly ports: {
    readonly door: number
    readonly agents: number
    readonly walrus: number
    readonly admin: number
    /** Of the target daemon: iSCSI's own for the first cloud of a machine, as far from it as its port base from 8773. */
    readonly iscsi: number
  }
  /** Network namespace of the node. */
  readonly netns: string
  /** Prefix of links in the host's namespace: fits with a letter behind it into 15 characters. */
  readonly linkPrefix: string
  /** Both ends of the link between the machine and its node: the pool's first two addresses. */
  readonly hostAddress: string
  readonly nodeAddress: string
  /** Where this machine reaches the doors. */
  readonly doorAddress: string
  file(...parts: string[]): string
}

export const repositoryRoot = path.resolve(import.meta.dirname, '../../..')

export function choicesFile(stateDir: string): string {
  return path.join(stateDir, 'mallee.json')
}

/** The choices of the cloud in this folder, or null where there is none. */
export function readChoices(stateDir: string): CloudChoices | null {
  try {
    return JSON.parse(readFileSync(choicesFile(stateDir), 'utf8')) as CloudChoices
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

export function requireLayout(stateDir: string): Layout {
  const choices = readChoices(stateDir)
  if (!choices)
    throw new MalleeError({
      code: 'NoCloud',
      publicMessage: `There is no cloud in ${stateDir}; ./mallee up makes one.`,
    })
  return layoutOf(stateDir, choices)
}

/**
 * The pool that a port base gets by itself: a /24 of the range for benchmarking (RFC 2544), which no network that
 * a machine is part of should use. Bases that do not share ports get different ones.
 */
export function defaultPublicPool(portBase: number): string {
  const first = parseIpv4('198.18.0.0')!
  return `${formatIpv4(first + ((portBase >> 2) & 0x1ff) * 256)}/24`
}

export function layoutOf(stateDir: string, choices: CloudChoices): Layout {
  const pool = parseCidr(choices.publicPool)
  if (!pool || pool.prefixLength > 28 || pool.prefixLength < 16) {
    throw new MalleeError({
      code: 'BadPool',
      publicMessage: `The public pool ${choices.publicPool} must be a CIDR from /16 to /28.`,
    })
  }
  const tag = createHash('sha256').update(realOr(stateDir)).digest('hex').slice(0, 6)
  return {
    root: repositoryRoot,
    stateDir,
    choices,
    ports: {
      door: choices.portBase,
      agents: choices.portBase + 1,
      walrus: choices.portBase + 2,
      admin: choices.portBase + 3,
      iscsi: iscsiPort(choices.portBase),
    },
    netns: `mallee-${tag}`,
    linkPrefix: `ml${tag}`,
    hostAddress: formatIpv4(pool.base + 1),
    nodeAddress: formatIpv4(pool.base + 2),
    doorAddress: choices.oneProcess ? formatIpv4(pool.base + 2) : '127.0.0.1',
    file: (...parts) => path.join(stateDir, ...parts),
  }
}

const iscsiPorts = { first: 3260, lowest: 1024, highest: 65_535 }

/** Different for every port base, so that two clouds of one machine never share it. */
function iscsiPort(portBase: number): number {
  const { first, lowest, highest } = iscsiPorts
  const span = highest - lowest + 1
  return lowest + ((((first - lowest + portBase - defaultPortBase) % span) + span) % span)
}

function realOr(dir: string): string {
  try {
    return realpathSync(dir)
  } catch {
    return path.resolve(dir)
  }
}
