/**
 * What programs say of the kernel's present state. Pure; lines and members that are not understood are left out, and
 * so are made anew or left alone by whoever compares.
 */
export interface ObservedLink {
  readonly name: string
  readonly alias: string | null
  readonly master: string | null
  readonly up: boolean
  readonly mac: string | null
  /** The kernel's word for what it is, such as `vxlan`; hardware has none. */
  readonly kind?: string
  /** Where a tunnel begins. */
  readonly local?: string
}

type Json = Readonly<Record<string, unknown>>
const members = (answer: unknown) => (Array.isArray(answer) ? (answer as Json[]) : [])
const textOf = (value: unknown) => (typeof value === 'string' ? value : null)

/** `ip -json link show`; only with `-details` it tells kinds, and where tunnels begin. */
export function parseLinks(answer: unknown): ObservedLink[] {
  return members(answer).flatMap((link) => {
    const name = textOf(link['ifname'])
    const flags = Array.isArray(link['flags']) ? (link['flags'] as unknown[]) : []
    return name === null
      ? []
      : [
          {
            name,
            alias: textOf(link['ifalias']),
            master: textOf(link['master']),
            up: flags.includes('UP'),
            mac: textOf(link['address']),
            ...detailsOf(link['linkinfo']),
          },
        ]
  })
}

function detailsOf(linkinfo: unknown): { kind?: string; local?: string } {
  const info = linkinfo as { info_kind?: unknown; info_data?: Json } | undefined
  const [kind, local] = [textOf(info?.info_kind), textOf(info?.info_data?.['local'])]
  return { ...(kind === null ? {} : { kind }), ...(local === null ? {} : { local }) }
}

/** `ip -json address show`: addresses with their length, by link. */
export function parseAddresses(answer: unknown): Map<string, string[]> {
  return new Map(
    members(answer).flatMap((link) => {
      const name = textOf(link['ifname'])
      if (name === null) return []
      const addresses = members(link['addr_info']).flatMap((entry) =>
        entry['family'] === 'inet' ? [`${String(entry['local'])}/${String(entry['prefixlen'])}`] : [],
      )
      return [[name, addresses] as const]
    }),
  )
}

/** `ip -json route show`: each in the words that would make it. */
export function parseRoutes(answer: unknown): string[] {
  return members(answer).map((route) => {
    const type = textOf(route['type'])
    const gateway = textOf(route['gateway'])
    const dev = textOf(route['dev'])
    const metric = typeof route['metric'] === 'number' ? ` metric ${route['metric']}` : ''
    return [
      type === null ? '' : `${type} `,
      String(route['dst']),
      gateway === null ? '' : ` via ${gateway}`,
      // The kernel names lo for what it refuses.
      dev === null || type === 'unreachable' ? '' : ` dev ${dev}`,
      gateway === null ? '' : ' onlink',
      metric,
    ].join('')
  })
}

/** A flow as it began, whatever was translated later. Ports, or ICMP's type, code and id, are null where unknown. */
export interface Flow {
  readonly zone: number
  readonly protocol: number
  readonly source: string
  readonly destination: string
  readonly sourcePort: number | null
  readonly destinationPort: number | null
  readonly icmp: { readonly type: number; readonly code: number; readonly id: number } | null
}

/** `conntrack -L`; IPv4 only. The first of each repeated member belongs to the direction that began the flow. */
export function parseFlows(text: string): Flow[] {
  return text.split('\n').flatMap((line) => {
    const head = /^\S+\s+(\d+)\s/.exec(line)
    const value = (name: string) => new RegExp(`(?:^|\\s)${name}=(\\S+)`).exec(line)?.[1] ?? null
    const number = (name: string) => (value(name) === null ? null : Number(value(name)))
    const source = value('src')
    const destination = value('dst')
    if (!head || source === null || destination === null || source.includes(':')) return []
    const type = number('type')
    return [
      {
        zone: number('zone') ?? 0,
        protocol: Number(head[1]),
        source,
        destination,
        sourcePort: number('sport'),
        destinationPort: number('dport'),
        icmp: type === null ? null : { type, code: number('code') ?? 0, id: number('id') ?? 0 },
      },
    ]
  })
}
