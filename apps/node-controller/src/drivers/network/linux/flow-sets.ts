import type { CountedFlow, FlowWindow } from '../driver.ts'

/**
 * The sets that flows are counted in: by direction as the interface sees it, by verdict, and by what tells flows of a
 * protocol apart. nft 1.0.6 mistakes the types of a key of more than five parts: so the verdict is in the name, and TCP's
 * flags are sets of their own.
 */
export interface FlowSet {
  readonly name: string
  readonly direction: 'out' | 'in'
  /** Null of what could not be counted because a set was full. */
  readonly kind: FlowKind | null
  readonly accepted: boolean
}
export type FlowKind = 'tcp' | 'udp' | 'other' | keyof typeof tcpFlags

/** As they are in records: the sum of those that were seen (VPC User Guide, "Flow log records", `tcp-flags`). */
export const tcpFlags = { syn: 2, synack: 18, fin: 1, rst: 4 } as const

const kinds = ['tcp', 'udp', 'other', ...(Object.keys(tcpFlags) as (keyof typeof tcpFlags)[])] as const

function setsOf(verdicts: readonly boolean[]): FlowSet[] {
  return (['out', 'in'] as const).flatMap((direction) => [
    ...verdicts.flatMap((accepted) =>
      kinds.map((kind) => ({
        ...{ name: `${direction}_${accepted ? 'accepted' : 'refused'}_${kind}` },
        ...{ direction, accepted, kind },
      })),
    ),
    { name: `${direction}_missed`, direction, accepted: verdicts[0]!, kind: null },
  ])
}

/** Of the node, which sees every packet; and of a router, which counts what its network ACLs refuse. */
export const flowSets = { bridge: setsOf([true, false]), ip: setsOf([false]) } as const
export type CaptureFamily = keyof typeof flowSets

type Part = string | number
export interface Element {
  readonly key: readonly Part[]
  readonly packets: number
  readonly bytes: number
}

/** By tap; in a router by link and address. */
export const ownerKey = (link: string, address?: string) =>
  address === undefined ? link : `${link} ${address}`

/** What nft says of a window's sets, by their names without its number; of what nobody owns, nothing. */
export function readFlows(
  family: CaptureFamily,
  sets: ReadonlyMap<string, readonly Element[]>,
  owners: ReadonlyMap<string, string>,
): Pick<FlowWindow, 'flows' | 'incomplete'> {
  const incomplete = new Set<string>()
  const flows = new Map<string, CountedFlow>()
  const seenFlags = new Map<string, number>()
  for (const { name, direction, accepted, kind } of flowSets[family]) {
    for (const { key, packets, bytes } of sets.get(name) ?? []) {
      const own = kind === null || direction === 'out' ? key[1] : key[2]
      const interfaceId = owners.get(
        family === 'bridge' ? ownerKey(String(key[0])) : ownerKey(String(key[0]), String(own)),
      )
      if (interfaceId === undefined) continue
      if (kind === null) {
        incomplete.add(interfaceId)
        continue
      }
      const protocol = kind === 'other' ? Number(key[3]) : kind === 'udp' ? 17 : 6
      const ends = {
        ...{ source: String(key[1]), destination: String(key[2]) },
        sourcePort: kind === 'other' ? 0 : Number(key[3]),
        destinationPort: kind === 'other' ? 0 : Number(key[4]),
      }
      const id = [interfaceId, direction, accepted, protocol, ...Object.values(ends)].join(' ')
      if (kind !== 'tcp' && kind !== 'udp' && kind !== 'other') {
        seenFlags.set(id, (seenFlags.get(id) ?? 0) | tcpFlags[kind])
        continue
      }
      flows.set(id, {
        ...{ interfaceId, direction: direction === 'out' ? 'egress' : 'ingress', accepted, protocol },
        ...{ ...ends, packets, bytes, tcpFlags: 0 },
      })
    }
  }
  return {
    flows: [...flows].map(([id, flow]) => ({ ...flow, tcpFlags: seenFlags.get(id) ?? 0 })),
    incomplete: [...incomplete],
  }
}

type Json = Readonly<Record<string, unknown>>

/** The elements of each set of `nft -j list`, by its name. An element is its value, or says it beside a counter. */
export function readSets(answer: string): Map<string, Element[]> {
  const { nftables = [] } = JSON.parse(answer) as { nftables?: Json[] }
  return new Map(
    nftables.flatMap((entry) => {
      const { name, elem = [] } = (entry['set'] ?? {}) as { name?: string; elem?: unknown[] }
      return name === undefined ? [] : [[name, elem.map(readElement)] as const]
    }),
  )
}

function readElement(each: unknown): Element {
  const { val = each, counter } = ((each as Json)['elem'] ?? {}) as {
    val?: unknown
    counter?: { packets: number; bytes: number }
  }
  const key = typeof val === 'object' ? (val as { concat: Part[] }).concat : [val as Part]
  return { key, packets: counter?.packets ?? 0, bytes: counter?.bytes ?? 0 }
}
