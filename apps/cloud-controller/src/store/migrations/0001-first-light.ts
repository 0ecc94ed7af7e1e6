import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'
import { agentLifecycle, imageLifecycle, instanceLifecycle } from '@mallee/lifecycles'

const oneOf = (column: string, values: readonly string[]) =>
  sql.raw(`check (${column} in ('${values.join("','")}'))`)

/**
 * The first schema, spoken so that SQLite and PostgreSQL both understand it: text, bigint, checks, unique keys, no
 * triggers. State columns are checked against the lifecycles of this day; a later lifecycle brings a later migration.
 */
const statements = [
  sql`create table setting (name text primary key, value text not null)`,
  sql`create table account (id text primary key, name text not null unique, email text, canonical_id text not null unique,
    created_at bigint not null)`,
  sql`create table "user" (id text primary key, account_id text not null references account(id), name text not null,
    created_at bigint not null, unique (account_id, name))`,
  sql`create table access_key (id text primary key, account_id text not null references account(id),
    user_id text not null references "user"(id), sealed_secret text not null, enabled bigint not null, created_at bigint not null)`,
  sql`create table quota (account_id text not null references account(id), name text not null, value bigint not null,
    primary key (account_id, name))`,
  sql`create table vpc (id text primary key, account_id text not null references account(id), cidr text not null,
    is_default bigint not null, tag bigint not null unique, created_at bigint not null)`,
  sql`create table subnet (id text primary key, account_id text not null references account(id), vpc_id text not null references vpc(id),
    availability_zone text not null, cidr text not null, is_default bigint not null, map_public_ip bigint not null,
    tag bigint not null unique, created_at bigint not null)`,
  sql`create table security_group (id text primary key, account_id text not null references account(id),
    vpc_id text not null references vpc(id), name text not null, description text not null, created_at bigint not null, unique (vpc_id, name))`,
  sql`create table security_group_rule (id text primary key, account_id text not null, group_id text not null references security_group(id),
    is_egress bigint not null, protocol text not null, from_port bigint not null, to_port bigint not null, cidr text,
    peer_group_id text references security_group(id), description text, identity text not null, unique (group_id, identity))`,
  sql`create table network_interface (id text primary key, account_id text not null references account(id), vpc_id text not null,
    subnet_id text not null references subnet(id), availability_zone text not null, mac text not null unique, private_ip bigint not null,
    description text not null, source_dest_check bigint not null, instance_id text, device_index bigint, attachment_id text,
    attached_at bigint, created_at bigint not null, unique (subnet_id, private_ip))`,
  sql`create index network_interface_instance on network_interface (instance_id)`,
  sql`create table network_interface_group (interface_id text not null references network_interface(id),
    group_id text not null references security_group(id), primary key (interface_id, group_id))`,
  sql`create index network_interface_group_group on network_interface_group (group_id)`,
  sql`create table address (public_ip bigint primary key, account_id text not null references account(id),
    interface_id text unique references network_interface(id), allocation_id text unique, association_id text unique, created_at bigint not null)`,
  sql`create table key_pair (id text primary key, account_id text not null references account(id), name text not null, type text not null,
    fingerprint text not null, public_key text not null, created_at bigint not null, unique (account_id, name))`,
  sql`create table image (id text primary key, account_id text not null references account(id), kind text not null, name text,
    description text, bucket text not null, object_key text not null, state text not null ${oneOf('state', imageLifecycle.stateNames())},
    state_reason text, architecture text not null, root_device_name text not null, kernel_id text, ramdisk_id text, is_public bigint not null,
    format text, size_bytes bigint, virtual_size_bytes bigint, sha256 text, created_at bigint not null)`,
  sql`create index image_account on image (account_id, name)`,
  sql`create table instance_type (name text primary key, vcpus bigint not null, memory_mib bigint not null, disk_gib bigint not null)`,
  sql`create table agent (id text primary key, kind text not null, name text not null, availability_zone text not null,
    state text not null ${oneOf('state', agentLifecycle.stateNames())}, revision bigint not null, sent_revision bigint not null,
    sequence bigint not null, fingerprint text, undeclared text not null, silent_since bigint, joined_at bigint not null, unique (kind, name))`,
  sql`create table join_token (digest text primary key, kind text not null, availability_zone text not null, expires_at bigint not null,
    used_by text)`,
  sql`create table desired_item (agent_id text not null references agent(id), kind text not null, id text not null, generation bigint not null,
    digest text not null, body text not null, revision bigint not null, primary key (agent_id, kind, id))`,
  sql`create table reservation (id text primary key, account_id text not null references account(id), created_at bigint not null)`,
  sql`create table instance (id text primary key, account_id text not null references account(id), user_id text not null,
    reservation_id text not null references reservation(id), launch_index bigint not null, image_id text not null references image(id),
    kernel_id text, ramdisk_id text, instance_type text not null, vcpus bigint not null, memory_mib bigint not null, disk_gib bigint not null,
    availability_zone text not null, vpc_id text not null, subnet_id text not null, key_name text, public_key text, user_data text,
    client_token text, uuid text not null unique, metadata_options text not null,
    state text not null ${oneOf('state', instanceLifecycle.stateNames())}, state_reason_code text, state_reason_message text,
    state_changed_at bigint not null, desired text not null, generation bigint not null, node_id text references agent(id),
    incarnation bigint not null, restarts bigint not null, reboot_count bigint not null, console_count bigint not null, launched_at bigint not null)`,
  sql`create index instance_account on instance (account_id, id)`,
  sql`create index instance_node on instance (node_id, state)`,
  sql`create index instance_state on instance (state)`,
  sql`create index instance_reservation on instance (reservation_id)`,
  sql`create table domain (id text primary key, instance_id text not null references instance(id), incarnation bigint not null,
    node_id text not null references agent(id), intent text not null, created_at bigint not null, observed_state text,
    observed_generation bigint, end_reason text, message text, started_at bigint, disk_lost bigint not null, reboot_count bigint not null,
    accelerator text, observed_at bigint, unique (instance_id, incarnation))`,
  sql`create table client_token (account_id text not null, action text not null, token text not null, parameters text not null,
    result text not null, created_at bigint not null, primary key (account_id, action, token))`,
  sql`create table tag (account_id text not null, resource_id text not null, resource_type text not null, key text not null,
    value text not null, primary key (resource_id, key))`,
  sql`create index tag_account on tag (account_id, key)`,
  sql`create table event (id text primary key, at bigint not null, account_id text not null, user_id text not null,
    access_key_id text not null, action text not null, request_id text not null, resources text not null)`,
  sql`create table decision (instance_id text primary key, at bigint not null, record text not null)`,
  sql`create table console (instance_id text primary key, count bigint not null, taken_at bigint not null, output text not null)`,
]

export const firstLight: Migration = {
  name: '0001-first-light',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
