import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { VpcItem } from '@mallee/agent-contract'
import { formatIpv4, parseCidr, writeAtomically } from '@mallee/base'
import { identityRange, transitRange } from './names.ts'

/**
 * Small numbers for things with long names: a transit address for a router, a conntrack zone for a subnet, an identity
 * address for an interface. They stay while the thing exists, over restarts too, since flows in the kernel carry them;
 * a number that was given back is the last to be given again.
 */
export interface Numbers {
  readonly vpc: NumberRange
  readonly subnet: NumberRange
  readonly interface: NumberRange
}

export interface NumberRange {
  readonly of: Readonly<Record<string, number>>
  /** Where the search for a free number goes on. */
  readonly next: number
}

const kinds = ['vpc', 'subnet', 'interface'] as const
/** 16-bit zones and half a /16 of transit addresses; 0 and 1 are the range's own and the node's. */
const bounds = { vpc: [2, 32_766], subnet: [1, 65_535], interface: [1, 65_534] } as const

export const noNumbers: Numbers = {
  vpc: { of: {}, next: 2 },
  subnet: { of: {}, next: 1 },
  interface: { of: {}, next: 1 },
}

/** The numbers of what these items name. */
export function numbersFor(network: readonly VpcItem[], present: Numbers): Numbers {
  return assignNumbers(present, {
    vpc: network.map((item) => item.vpcId),
    subnet: network.flatMap((item) => item.subnets.map((subnet) => subnet.subnetId)),
    interface: network.flatMap((item) => item.interfaces.map((entry) => entry.interfaceId)),
  })
}

/** The numbers of exactly these things: kept where they had one. Throws where a range is full. */
export function assignNumbers(
  present: Numbers,
  ids: Readonly<Record<(typeof kinds)[number], readonly string[]>>,
): Numbers {
  const assigned = kinds.map((kind) => [kind, assignRange(present[kind], ids[kind], bounds[kind])] as const)
  return Object.fromEntries(assigned) as unknown as Numbers
}

function assignRange(
  present: NumberRange,
  ids: readonly string[],
  [first, last]: readonly [number, number],
): NumberRange {
  if (ids.length > last - first + 1) throw new RangeError(`more than ${last - first + 1} on one node`)
  const kept = ids.filter((id) => present.of[id] !== undefined)
  const of: Record<string, number> = Object.fromEntries(kept.map((id) => [id, present.of[id]!]))
  const taken = new Set(Object.values(of))
  let next = present.next
  for (const id of ids) {
    if (of[id] !== undefined) continue
    while (taken.has(next) || next > last) next = next >= last ? first : next + 1
    of[id] = next
    taken.add(next)
    next = next >= last ? first : next + 1
  }
  return { of, next }
}

export const transitAddress = (number: number) => formatIpv4(parseCidr(transitRange)!.base + number)
export const identityAddress = (number: number) => formatIpv4(parseCidr(identityRange)!.base + number)

const fileOf = (runDir: string) => path.join(runDir, 'numbers.json')

export async function readNumbers(runDir: string): Promise<Numbers> {
  try {
    return JSON.parse(await readFile(fileOf(runDir), 'utf8')) as Numbers
  } catch (error) {
    // A file that was cut short costs new numbers, and with them the flows of the moment.
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return noNumbers
    throw error
  }
}

export async function writeNumbers(runDir: string, numbers: Numbers): Promise<void> {
  await writeAtomically(fileOf(runDir), JSON.stringify(numbers), 0o644)
}
