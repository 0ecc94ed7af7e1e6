import { blocksOverlap, blockContains, formatIpv4, parseCidr } from '@mallee/base'
import { finding, type Finding } from './finding.ts'
import type { RecordRows } from './record-rows.ts'

const report = 'Please report this with a backup of the record.'

/** That VPCs are whole, that nothing of them names what is not there, and that no address is of two. */
export function checkNetworks(rows: RecordRows): Finding[] {
  return [
    ...wholeness(rows),
    ...overlaps(rows),
    ...claims(rows),
    ...publicAddresses(rows),
    ...references(rows),
    ...prefixLists(rows),
  ]
}

/** What is made with a VPC, or with a subnet, and ends with it. */
function wholeness({ vpcs, subnets, networks }: RecordRows): Finding[] {
  const found: Finding[] = []
  const lacks = (id: string, what: string) =>
    found.push(finding('R.incomplete', id, `has no ${what}`, report))
  const ids = (of: readonly { readonly vpc_id: string }[]) => new Set(of.map((row) => row.vpc_id))
  const parts: readonly (readonly [string, ReadonlySet<string>])[] = [
    ['first address block', ids(networks.cidrs.filter((row) => row.is_primary === 1))],
    ['main route table', ids(networks.routeTableLinks.filter((row) => row.is_main === 1))],
    ['default network ACL', ids(networks.acls.filter((row) => row.is_default === 1))],
    ['default security group', ids(networks.groups.filter((row) => row.name === 'default'))],
  ]
  for (const vpc of vpcs) for (const [what, having] of parts) if (!having.has(vpc.id)) lacks(vpc.id, what)
  const walled = new Set(networks.aclLinks.map((row) => row.subnet_id))
  for (const subnet of subnets) if (!walled.has(subnet.id)) lacks(subnet.id, 'network ACL')
  return found
}

/** Two subnets of a VPC with an address in common would both have it. */
function overlaps({ subnets }: RecordRows): Finding[] {
  return [...Map.groupBy(subnets, (subnet) => subnet.vpc_id).values()].flatMap((own) =>
    own.flatMap((subnet, index) =>
      own
        .slice(index + 1)
        .filter((other) => blocksOverlap(parseCidr(subnet.cidr)!, parseCidr(other.cidr)!))
        .map((other) =>
          finding('I3.subnets-overlap', subnet.id, `${subnet.cidr} and ${other.id} overlap`, report),
        ),
    ),
  )
}

/** An interface's addresses are what its subnet has given away, and its first one is among them. */
function claims({ interfaces, subnets, networks }: RecordRows): Finding[] {
  const found: Finding[] = []
  const byId = new Map(interfaces.map((entry) => [entry.id, entry]))
  const blocks = new Map(subnets.map((subnet) => [subnet.id, parseCidr(subnet.cidr)!]))
  const primaries = new Set<string>()
  for (const claim of networks.privateAddresses) {
    const address = formatIpv4(claim.private_ip)
    const entry = byId.get(claim.interface_id)
    if (claim.is_primary === 1) primaries.add(`${claim.interface_id} ${claim.private_ip}`)
    const block = blocks.get(claim.subnet_id)
    if (!entry || entry.subnet_id !== claim.subnet_id)
      found.push(finding('I2.private-address-leaked', address, `is claimed by ${claim.interface_id}`, report))
    else if (!block || !blockContains(block, claim.private_ip))
      found.push(
        finding('I2.address-outside', entry.id, `has ${address}, which is not in its subnet`, report),
      )
  }
  for (const entry of interfaces)
    if (!primaries.has(`${entry.id} ${entry.private_ip}`)) {
      const what = `has ${formatIpv4(entry.private_ip)} without a claim to it`
      found.push(finding('I2.private-address-unclaimed', entry.id, what, report))
    }
  return found
}

/** A public address stands for a private one that its interface has, and no two stand for the same. */
function publicAddresses({ addresses, networks }: RecordRows): Finding[] {
  const claimed = new Set(networks.privateAddresses.map((row) => `${row.interface_id} ${row.private_ip}`))
  const placed = addresses.filter((row) => row.interface_id !== null)
  const placeOf = (row: (typeof addresses)[number]) => `${row.interface_id} ${row.private_ip}`
  return [
    ...placed
      .filter((row) => row.private_ip === null || !claimed.has(placeOf(row)))
      .map((row) => {
        const what = `is on ${row.interface_id}, for a private address that it has not`
        return finding('I2.address-astray', formatIpv4(row.public_ip), what, report)
      }),
    ...[...Map.groupBy(placed, placeOf)]
      .filter(([, rows]) => rows.length > 1)
      .map(([place, rows]) => {
        const what = `has ${rows.map((row) => formatIpv4(row.public_ip)).join(' and ')}`
        return finding('I3.place-twice', place, what, 'Disassociate one of them.')
      }),
    ...addresses
      .filter(
        (row) => row.allocation_id !== null && (row.interface_id === null) !== (row.association_id === null),
      )
      .map((row) => {
        const what = 'is associated without an association, or the other way round'
        return finding('I2.address-astray', formatIpv4(row.public_ip), what, report)
      }),
  ]
}

/** What a list has is of versions that it had, and of the newest no more than rules and routes were counted for. */
function prefixLists({ networks }: RecordRows): Finding[] {
  const sizes = Map.groupBy(networks.prefixListSizes, (row) => row.prefix_list_id)
  return networks.prefixLists.flatMap((list) => {
    const own = sizes.get(list.id) ?? []
    const newest = Number(own.find((row) => row.version === list.version)?.entries ?? 0)
    if (newest <= list.max_entries && own.every((row) => row.version <= list.version)) return []
    const what = `has ${newest} entries of ${list.max_entries}, or some of a version that it has not`
    return [finding('R.prefix-list', list.id, what, report)]
  })
}

/** Where the schema declares no foreign key. A route's target may be gone: that is a blackhole, and its owner's affair. */
function references(rows: RecordRows): Finding[] {
  const { networks } = rows
  const found: Finding[] = []
  const ids = (of: readonly { readonly id: string }[]) => new Set(of.map((row) => row.id))
  const [vpcs, subnets, interfaces] = [ids(rows.vpcs), ids(rows.subnets), ids(rows.interfaces)]
  const [lists, options, groups] = [
    ids(networks.prefixLists),
    ids(networks.dhcpOptions),
    ids(networks.groups),
  ]
  const peerings = ids(networks.peerings)
  const logged = new Set([...vpcs, ...subnets, ...interfaces])
  const need = (subject: string, id: string | null, known: ReadonlySet<string>) => {
    if (id === null || known.has(id)) return
    found.push(finding('R.dangling', subject, `names ${id}, which is not there`, report))
  }
  for (const row of rows.vpcs) need(row.id, row.dhcp_options_id, options)
  for (const row of networks.gateways) need(row.id, row.vpc_id, vpcs)
  for (const row of networks.routeTableLinks) {
    need(row.id, row.vpc_id, vpcs)
    need(row.id, row.subnet_id, subnets)
  }
  for (const row of networks.routes) need(row.route_table_id, row.prefix_list_id, lists)
  for (const row of networks.rules) {
    // A rule that names a group of a once peered VPC may outlive both.
    if (row.peer_vpc_id === null) need(row.id, row.peer_group_id, groups)
    else need(row.id, row.peering_id ?? 'no peering', peerings)
    need(row.id, row.prefix_list_id, lists)
  }
  for (const row of networks.flowLogs) {
    need(row.id, row.vpc_id, vpcs)
    need(row.id, row.resource_id, logged)
  }
  for (const row of networks.natGateways) {
    if (row.state === 'failed' || row.state === 'deleted') continue
    need(row.id, row.vpc_id, vpcs)
    need(row.id, row.subnet_id, subnets)
    need(row.id, row.interface_id ?? 'no interface', interfaces)
  }
  for (const row of networks.peerings) {
    if (row.status !== 'active') continue
    for (const id of [row.requester_vpc_id, row.accepter_vpc_id]) need(row.id, id, vpcs)
  }
  return [...found, ...elsewhere(rows)]
}

/** Associations of things of different VPCs lead packets where nobody looks for them. */
function elsewhere({ subnets, networks }: RecordRows): Finding[] {
  const vpcOf = new Map(
    [...subnets, ...networks.routeTables, ...networks.acls].map((row) => [row.id, row.vpc_id]),
  )
  const links = [
    ...networks.routeTableLinks.flatMap((row) =>
      row.subnet_id === null ? [] : [[row.id, row.route_table_id, row.subnet_id] as const],
    ),
    ...networks.aclLinks.map((row) => [row.id, row.acl_id, row.subnet_id] as const),
  ]
  return links
    .filter(([, one, other]) => vpcOf.get(one) !== vpcOf.get(other))
    .map(([id, one, other]) =>
      finding('R.other-vpc', id, `joins ${one} and ${other}, which are of two VPCs`, report),
    )
}
