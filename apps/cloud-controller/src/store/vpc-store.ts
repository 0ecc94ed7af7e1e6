import { newId, type Random } from '@mallee/base'
import { insertSecurityGroup } from './security-group-store.ts'
import type { Reader, Tx } from './record.ts'
import type { SubnetTable, VpcTable } from './tables.ts'

/**
 * A VPC is never alone: its first address block, its main route table, its default network ACL and its default group are
 * made and end with it, as on AWS.
 */
export async function insertVpc(
  tx: Tx,
  options: { accountId: string; cidr: string; isDefault: boolean; random: Random; nowMs: number },
): Promise<VpcTable> {
  const { accountId, cidr, random, nowMs } = options
  const vpc: VpcTable = {
    id: newId('vpc', random),
    account_id: accountId,
    cidr,
    is_default: options.isDefault ? 1 : 0,
    tag: await nextTag(tx, 'vpc'),
    dns_support: 1,
    dns_hostnames: options.isDefault ? 1 : 0,
    dhcp_options_id: null,
    created_at: nowMs,
  }
  await tx.db.insertInto('vpc').values(vpc).execute()
  await insertVpcCidr(tx, { vpc, cidr, isPrimary: true, random, nowMs })
  const routeTableId = await insertRouteTable(tx, { vpc, random, nowMs })
  await tx.db
    .insertInto('route_table_association')
    .values({
      id: newId('routeTableAssociation', random),
      account_id: accountId,
      vpc_id: vpc.id,
      route_table_id: routeTableId,
      subnet_id: null,
      is_main: 1,
    })
    .execute()
  const aclId = await insertNetworkAcl(tx, { vpc, isDefault: true, random, nowMs })
  await tx.db
    .insertInto('network_acl_entry')
    .values(
      ([0, 1] as const).map((egress) => ({
        acl_id: aclId,
        is_egress: egress,
        rule_number: 100,
        protocol: '-1',
        allow: 1 as const,
        cidr: '0.0.0.0/0',
        from_port: -1,
        to_port: -1,
      })),
    )
    .execute()
  await insertSecurityGroup(tx, {
    accountId,
    vpcId: vpc.id,
    name: 'default',
    description: 'default VPC security group',
    membersMayMeet: true,
    random,
    nowMs,
  })
  return vpc
}

export async function insertVpcCidr(
  tx: Tx,
  options: { vpc: VpcTable; cidr: string; isPrimary: boolean; random: Random; nowMs: number },
): Promise<string> {
  const id = newId('vpcCidrAssociation', options.random)
  await tx.db
    .insertInto('vpc_cidr')
    .values({
      id,
      account_id: options.vpc.account_id,
      vpc_id: options.vpc.id,
      cidr: options.cidr,
      is_primary: options.isPrimary ? 1 : 0,
      created_at: options.nowMs,
    })
    .execute()
  return id
}

export async function insertRouteTable(
  tx: Tx,
  options: { vpc: VpcTable; random: Random; nowMs: number },
): Promise<string> {
  const id = newId('routeTable', options.random)
  await tx.db
    .insertInto('route_table')
    .values({
      id,
      account_id: options.vpc.account_id,
      vpc_id: options.vpc.id,
      created_at: options.nowMs,
    })
    .execute()
  return id
}

/** Without an entry; what no entry names is denied. */
export async function insertNetworkAcl(
  tx: Tx,
  options: { vpc: VpcTable; isDefault: boolean; random: Random; nowMs: number },
): Promise<string> {
  const id = newId('networkAcl', options.random)
  await tx.db
    .insertInto('network_acl')
    .values({
      id,
      account_id: options.vpc.account_id,
      vpc_id: options.vpc.id,
      is_default: options.isDefault ? 1 : 0,
      created_at: options.nowMs,
    })
    .execute()
  return id
}

/** With the VPC's default network ACL, and by the main route table until it is given another. */
export async function insertSubnet(
  tx: Tx,
  options: {
    vpc: Pick<VpcTable, 'id' | 'account_id'>
    availabilityZone: string
    cidr: string
    isDefault: boolean
    random: Random
    nowMs: number
  },
): Promise<SubnetTable> {
  const { vpc, random } = options
  const subnet: SubnetTable = {
    id: newId('subnet', random),
    account_id: vpc.account_id,
    vpc_id: vpc.id,
    availability_zone: options.availabilityZone,
    cidr: options.cidr,
    is_default: options.isDefault ? 1 : 0,
    map_public_ip: options.isDefault ? 1 : 0,
    tag: await nextTag(tx, 'subnet'),
    created_at: options.nowMs,
  }
  await tx.db.insertInto('subnet').values(subnet).execute()
  const acl = await tx.db
    .selectFrom('network_acl')
    .select('id')
    .where('vpc_id', '=', vpc.id)
    .where('is_default', '=', 1)
    .executeTakeFirstOrThrow()
  await tx.db
    .insertInto('network_acl_association')
    .values({
      id: newId('networkAclAssociation', random),
      account_id: vpc.account_id,
      acl_id: acl.id,
      subnet_id: subnet.id,
    })
    .execute()
  return subnet
}

/** The internet gateway of a default VPC, and the way to it. */
export async function openToInternet(
  tx: Tx,
  options: { vpc: Pick<VpcTable, 'id' | 'account_id'>; random: Random; nowMs: number },
): Promise<void> {
  const { vpc, random, nowMs } = options
  const id = newId('internetGateway', random)
  await tx.db
    .insertInto('internet_gateway')
    .values({ id, account_id: vpc.account_id, vpc_id: vpc.id, created_at: nowMs })
    .execute()
  const main = await mainRouteTable(tx.db, vpc.id)
  await tx.db
    .insertInto('route')
    .values({
      route_table_id: main,
      destination: '0.0.0.0/0',
      prefix_list_id: null,
      target_kind: 'internet-gateway',
      target_id: id,
      created_at: nowMs,
    })
    .execute()
}

export async function mainRouteTable(db: Reader, vpcId: string): Promise<string> {
  const row = await db
    .selectFrom('route_table_association')
    .select('route_table_id')
    .where('vpc_id', '=', vpcId)
    .where('is_main', '=', 1)
    .executeTakeFirstOrThrow()
  return row.route_table_id
}

/** Numbers from which bridges, zones and VXLANs are named; never given twice while a row holds one. */
async function nextTag(tx: Tx, table: 'vpc' | 'subnet'): Promise<number> {
  const row = await tx.db
    .selectFrom(table)
    .select((eb) => eb.fn.max('tag').as('tag'))
    .executeTakeFirst()
  return (row?.tag ?? 0) + 1
}
