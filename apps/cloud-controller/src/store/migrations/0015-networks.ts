import { sql, type Kysely } from 'kysely'
import { newId } from '@mallee/base'
import type { Migration } from '@mallee/state-store'

/**
 * VPCs as AWS has them: gateways, route tables, network ACLs, NAT gateways, DHCP options, peering, prefix lists and flow
 * logs; interfaces with several addresses that may be attached to nothing; elastic addresses by private address.
 */
const statements = [
  sql`alter table vpc add column dns_support bigint not null default 1`,
  sql`alter table vpc add column dns_hostnames bigint not null default 0`,
  sql`update vpc set dns_hostnames = 1 where is_default = 1`,
  sql`alter table vpc add column dhcp_options_id text`,
  sql`create index vpc_account on vpc (account_id, created_at, id)`,
  sql`create table vpc_cidr (id text primary key, account_id text not null, vpc_id text not null references vpc(id), cidr text not null,
    is_primary bigint not null, created_at bigint not null, unique (vpc_id, cidr))`,
  sql`create table dhcp_options (id text primary key, account_id text not null references account(id), configuration text not null,
    created_at bigint not null)`,
  sql`create table internet_gateway (id text primary key, account_id text not null references account(id), vpc_id text unique,
    created_at bigint not null)`,
  sql`create table route_table (id text primary key, account_id text not null references account(id), vpc_id text not null references vpc(id),
    created_at bigint not null)`,
  sql`create index route_table_vpc on route_table (vpc_id)`,
  sql`create table route_table_association (id text primary key, account_id text not null, vpc_id text not null,
    route_table_id text not null references route_table(id), subnet_id text unique, is_main bigint not null)`,
  sql`create index route_table_association_table on route_table_association (route_table_id)`,
  sql`create unique index route_table_association_main on route_table_association (vpc_id) where is_main = 1`,
  sql`create table route (route_table_id text not null references route_table(id), destination text not null, prefix_list_id text,
    target_kind text not null, target_id text not null, created_at bigint not null, primary key (route_table_id, destination))`,
  sql`create index route_target on route (target_id)`,
  sql`create table network_acl (id text primary key, account_id text not null references account(id), vpc_id text not null references vpc(id),
    is_default bigint not null, created_at bigint not null)`,
  sql`create index network_acl_vpc on network_acl (vpc_id)`,
  sql`create table network_acl_entry (acl_id text not null references network_acl(id), is_egress bigint not null, rule_number bigint not null,
    protocol text not null, allow bigint not null, cidr text not null, from_port bigint not null, to_port bigint not null,
    primary key (acl_id, is_egress, rule_number))`,
  sql`create table network_acl_association (id text primary key, account_id text not null, acl_id text not null references network_acl(id),
    subnet_id text not null unique references subnet(id))`,
  sql`create table nat_gateway (id text primary key, account_id text not null references account(id), vpc_id text not null,
    subnet_id text not null, interface_id text, connectivity text not null, public_ip bigint, private_ip bigint, allocation_id text,
    association_id text, node_id text, state text not null, failure_code text, failure_message text, created_at bigint not null,
    deleted_at bigint)`,
  sql`create index nat_gateway_vpc on nat_gateway (vpc_id)`,
  sql`create table vpc_peering (id text primary key, account_id text not null references account(id), requester_vpc_id text not null,
    accepter_account_id text not null, accepter_vpc_id text not null, status text not null, message text not null,
    requester_dns bigint not null default 0, accepter_dns bigint not null default 0, expires_at bigint, created_at bigint not null,
    ended_at bigint)`,
  sql`create index vpc_peering_requester on vpc_peering (requester_vpc_id)`,
  sql`create index vpc_peering_accepter on vpc_peering (accepter_vpc_id)`,
  sql`create table prefix_list (id text primary key, account_id text not null references account(id), name text not null,
    max_entries bigint not null, version bigint not null, created_at bigint not null)`,
  sql`create table prefix_list_entry (prefix_list_id text not null references prefix_list(id), version bigint not null, cidr text not null,
    description text, primary key (prefix_list_id, version, cidr))`,
  sql`create table flow_log (id text primary key, account_id text not null references account(id), resource_id text not null,
    vpc_id text not null, traffic text not null, bucket text not null, key_prefix text not null, destination text not null,
    format text not null, interval_s bigint not null, options text not null, error text, created_at bigint not null)`,
  sql`create index flow_log_vpc on flow_log (vpc_id)`,
  sql`alter table security_group_rule add column prefix_list_id text`,
  sql`create index security_group_rule_peer on security_group_rule (peer_group_id)`,
  sql`create index subnet_vpc on subnet (vpc_id)`,
  sql`alter table network_interface add column type text not null default 'interface'`,
  sql`alter table network_interface add column requester_managed bigint not null default 0`,
  sql`alter table network_interface add column delete_on_termination bigint not null default 1`,
  sql`alter table network_interface add column attachment_state text`,
  sql`update network_interface set attachment_state = 'attached' where instance_id is not null`,
  sql`create index network_interface_vpc on network_interface (vpc_id)`,
  sql`create table network_interface_address (subnet_id text not null references subnet(id), private_ip bigint not null,
    interface_id text not null references network_interface(id), is_primary bigint not null, primary key (subnet_id, private_ip))`,
  sql`create index network_interface_address_interface on network_interface_address (interface_id)`,
  sql`insert into network_interface_address (subnet_id, private_ip, interface_id, is_primary)
    select subnet_id, private_ip, id, 1 from network_interface`,
  // An interface may have a public address for each of its private ones: the old table knew one.
  sql`alter table address rename to former_address`,
  sql`create table address (public_ip bigint primary key, account_id text not null references account(id),
    interface_id text references network_interface(id), private_ip bigint, allocation_id text unique, association_id text unique,
    created_at bigint not null, unique (interface_id, private_ip))`,
  sql`insert into address (public_ip, account_id, interface_id, private_ip, allocation_id, association_id, created_at)
    select a.public_ip, a.account_id, a.interface_id, ni.private_ip, a.allocation_id, a.association_id, a.created_at
    from former_address a left join network_interface ni on ni.id = a.interface_id`,
  sql`drop table former_address`,
]

export const networks: Migration = {
  name: '0015-networks',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
    await completeDefaultVpcs(db as Kysely<Rows>)
  },
}

/** What the migration writes; the record's own types are of today, and this is of its day. */
interface Rows {
  vpc: { id: string; account_id: string; cidr: string; created_at: number }
  subnet: { id: string; vpc_id: string }
  vpc_cidr: {
    id: string
    account_id: string
    vpc_id: string
    cidr: string
    is_primary: number
    created_at: number
  }
  internet_gateway: { id: string; account_id: string; vpc_id: string; created_at: number }
  route_table: { id: string; account_id: string; vpc_id: string; created_at: number }
  route_table_association: {
    id: string
    account_id: string
    vpc_id: string
    route_table_id: string
    subnet_id: string | null
    is_main: number
  }
  route: {
    route_table_id: string
    destination: string
    target_kind: string
    target_id: string
    created_at: number
  }
  network_acl: { id: string; account_id: string; vpc_id: string; is_default: number; created_at: number }
  network_acl_entry: {
    acl_id: string
    is_egress: number
    rule_number: number
    protocol: string
    allow: number
    cidr: string
    from_port: number
    to_port: number
  }
  network_acl_association: { id: string; account_id: string; acl_id: string; subnet_id: string }
}

/** As it was described before there were rows of it. */
const cidrAssociationId = (vpcId: string) => vpcId.replace('vpc-', 'vpc-cidr-assoc-')

/** Every VPC of before was a default one: it gets the gateway, the main route table and the ACL that AWS gives those. */
async function completeDefaultVpcs(db: Kysely<Rows>): Promise<void> {
  for (const vpc of await db.selectFrom('vpc').selectAll().execute()) {
    const own = { account_id: vpc.account_id, vpc_id: vpc.id }
    const { created_at } = vpc
    const [gateway, table, acl] = [newId('internetGateway'), newId('routeTable'), newId('networkAcl')]
    await db
      .insertInto('vpc_cidr')
      .values({ id: cidrAssociationId(vpc.id), ...own, cidr: vpc.cidr, is_primary: 1, created_at })
      .execute()
    await db
      .insertInto('internet_gateway')
      .values({ id: gateway, ...own, created_at })
      .execute()
    await db
      .insertInto('route_table')
      .values({ id: table, ...own, created_at })
      .execute()
    await db
      .insertInto('route_table_association')
      .values({
        id: newId('routeTableAssociation'),
        ...own,
        route_table_id: table,
        subnet_id: null,
        is_main: 1,
      })
      .execute()
    await db
      .insertInto('route')
      .values({
        route_table_id: table,
        destination: '0.0.0.0/0',
        target_kind: 'internet-gateway',
        target_id: gateway,
        created_at,
      })
      .execute()
    await db
      .insertInto('network_acl')
      .values({ id: acl, ...own, is_default: 1, created_at })
      .execute()
    const all = {
      acl_id: acl,
      rule_number: 100,
      protocol: '-1',
      allow: 1,
      cidr: '0.0.0.0/0',
      from_port: -1,
      to_port: -1,
    }
    await db
      .insertInto('network_acl_entry')
      .values([
        { ...all, is_egress: 0 },
        { ...all, is_egress: 1 },
      ])
      .execute()
    for (const subnet of await db.selectFrom('subnet').selectAll().where('vpc_id', '=', vpc.id).execute())
      await db
        .insertInto('network_acl_association')
        .values({
          id: newId('networkAclAssociation'),
          account_id: vpc.account_id,
          acl_id: acl,
          subnet_id: subnet.id,
        })
        .execute()
  }
}
