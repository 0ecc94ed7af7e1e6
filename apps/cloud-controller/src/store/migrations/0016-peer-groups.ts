import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/**
 * Rules that name a group of a peered VPC. They outlive the group and the peering, as on AWS ("stale"), so the peer is no
 * foreign key any more, and where it was is remembered. Prefix lists have a state.
 */
const statements = [
  sql`alter table security_group_rule rename to former_security_group_rule`,
  sql`create table security_group_rule (id text primary key, account_id text not null, group_id text not null references security_group(id),
    is_egress bigint not null, protocol text not null, from_port bigint not null, to_port bigint not null, cidr text,
    peer_group_id text, peer_vpc_id text, peer_account_id text, peering_id text, prefix_list_id text, description text,
    identity text not null, unique (group_id, identity))`,
  sql`insert into security_group_rule (id, account_id, group_id, is_egress, protocol, from_port, to_port, cidr, peer_group_id,
    prefix_list_id, description, identity)
    select id, account_id, group_id, is_egress, protocol, from_port, to_port, cidr, peer_group_id, prefix_list_id, description, identity
    from former_security_group_rule`,
  sql`drop table former_security_group_rule`,
  sql`create index security_group_rule_peer on security_group_rule (peer_group_id)`,
  sql`create index security_group_rule_prefix_list on security_group_rule (prefix_list_id)`,
  sql`create index route_prefix_list on route (prefix_list_id)`,
  sql`alter table prefix_list add column state text not null default 'create-complete'`,
  sql`alter table prefix_list add column state_message text`,
]

export const peerGroups: Migration = {
  name: '0016-peer-groups',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
