import { commonOptions, seenAt } from './dnsmasq.ts'
import { metadataHost, resolverPort } from './names.ts'
import type { RouterPlan, SubnetPlan } from './plan.ts'

/**
 * What one subnet's dnsmasq reads. It gives fixed leases to known MACs only, and answers names of the VPC's instances,
 * wherever they are; for other names it asks the node's resolver.
 */
export interface DhcpFiles {
  /** Changed only by starting anew. */
  readonly config: string
  /** Read again on SIGHUP. */
  readonly hosts: string
  readonly names: string
  /** Address to MAC. */
  readonly leases: ReadonlyMap<string, string>
}

const leaseSeconds = 3600

/** `mtu` in bytes. */
export function dhcpFiles(subnet: SubnetPlan, router: RouterPlan, mtu: number): DhcpFiles {
  const { dhcp } = router
  const ports = router.ports.filter((port) => port.subnet.subnetId === subnet.subnetId)
  const hostnames = [...router.ports, ...router.remotes].flatMap(({ hostname }) => hostname ?? [])
  const domains = [...new Set(hostnames.flatMap((name) => domainOf(name) ?? []))].toSorted()
  const domain = ports.map((port) => domainOf(port.hostname)).find((name) => name !== null) ?? null
  return {
    config: [
      ...commonOptions,
      'no-resolv',
      'no-poll',
      `interface=${subnet.gatewayLink}`,
      'except-interface=lo',
      `dhcp-range=${subnet.cidr.split('/')[0]},static,${netmask(subnet.prefixLength)},${leaseSeconds}`,
      'dhcp-authoritative',
      'dhcp-ignore=tag:!known',
      'quiet-dhcp',
      `dhcp-option=option:router,${subnet.gateway}`,
      // Without a value none is given.
      ['dhcp-option=option:dns-server', ...dhcp.nameServers.map((server) => server ?? subnet.gateway)].join(
        ',',
      ),
      `dhcp-option=option:mtu,${mtu}`,
      ...(domain === null ? [] : [`domain=${domain}`]),
      ...optional('domain-name', dhcp.domainNames.slice(0, 1)),
      ...(dhcp.domainNames.length > 1 ? optional('domain-search', dhcp.domainNames) : []),
      ...optional('ntp-server', dhcp.ntpServers),
      ...optional('netbios-ns', dhcp.netbiosNameServers),
      ...(dhcp.netbiosNodeType === null
        ? []
        : [`dhcp-option=option:netbios-nodetype,${dhcp.netbiosNodeType}`]),
      ...(dhcp.ownNames ? [] : ['port=0']),
      // Names of these domains that nobody has do not exist, and private addresses are nobody's elsewhere.
      ...domains.map((name) => `local=/${name}/`),
      'bogus-priv',
      'domain-needed',
      `server=${metadataHost}#${resolverPort}`,
      `dhcp-hostsfile=${seenAt}/hosts`,
      `addn-hosts=${seenAt}/names`,
      `dhcp-leasefile=${seenAt}/leases`,
      '',
    ].join('\n'),
    hosts: ports.map((port) => `${port.mac},${port.privateIp},${shortName(port.hostname)}\n`).join(''),
    names: namesOf(router),
    leases: new Map(ports.map((port) => [port.privateIp, port.mac])),
  }
}

/** All of the VPC's instances, wherever they are; inside of it a public name stands for the private address. */
function namesOf(router: RouterPlan): string {
  const named = [
    ...router.ports,
    ...router.remotes.map((remote) => ({ ...remote, privateIp: remote.addresses[0]! })),
  ].filter(({ hostname }) => hostname !== null)
  return named
    .map(({ privateIp, hostname, publicName }) =>
      [privateIp, hostname, shortName(hostname!), ...(publicName === null ? [] : [publicName])].join(' '),
    )
    .toSorted()
    .map((line) => `${line}\n`)
    .join('')
}

const optional = (option: string, values: readonly string[]) =>
  values.length === 0 ? [] : [`dhcp-option=option:${option},${values.join(',')}`]

const shortName = (hostname: string) => hostname.split('.')[0]!

function domainOf(hostname: string): string | null {
  const dot = hostname.indexOf('.')
  return dot === -1 ? null : hostname.slice(dot + 1)
}

function netmask(prefixLength: number): string {
  const bits = prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.')
}

/**
 * The lease file without leases that another MAC has on an address of ours; dnsmasq would go on honouring them. Null
 * where none has. A line: expiry, MAC, address, name, client id.
 */
export function withoutForeignLeases(text: string, leases: ReadonlyMap<string, string>): string | null {
  const lines = text.split('\n')
  const kept = lines.filter((line) => {
    const [, mac, address] = line.split(' ')
    const owner = address === undefined ? undefined : leases.get(address)
    return owner === undefined || owner === mac
  })
  return kept.length === lines.length ? null : kept.join('\n')
}
