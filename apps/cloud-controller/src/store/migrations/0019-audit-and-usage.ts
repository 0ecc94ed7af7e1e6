import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/**
 * Who called what, numbered without a gap; trails that bring that into buckets; requests for larger quotas; and since when
 * until when who used what. What is in use on the day of the migration is taken to be used since it is there.
 */
const statements = [
  sql`create table api_call (sequence bigint primary key, at bigint not null, event_id text not null unique, request_id text not null,
    event_source text not null, event_name text not null, event_type text not null, account_id text, principal_id text, user_name text,
    access_key_id text, identity text not null, source_ip text not null, user_agent text not null, region text not null,
    read_only bigint not null, management bigint not null, secure bigint not null, error_code text, error_message text,
    parameters text, response text, resources text not null)`,
  sql`create index api_call_account on api_call (account_id, at, sequence)`,
  sql`create index api_call_request on api_call (request_id)`,
  sql`create index api_call_at on api_call (at)`,
  sql`create table api_call_resource (resource_id text not null, sequence bigint not null, primary key (resource_id, sequence))`,
  sql`create index api_call_resource_sequence on api_call_resource (sequence)`,
  sql`create table audit_counter (name text primary key, value bigint not null)`,
  sql`insert into audit_counter (name, value) values ('last', 0), ('forgotten', 0)`,
  sql`create table audit_source (agent_id text primary key, sequence bigint not null)`,
  sql`create table trail (account_id text not null, name text not null, bucket text not null, key_prefix text, include_global bigint not null,
    created_at bigint not null, logging bigint not null, started_at bigint, stopped_at bigint, sequence bigint not null, delivered_at bigint,
    error text, attempted_at bigint, primary key (account_id, name))`,
  sql`create table trail_file (id text primary key, account_id text not null, trail text not null, bucket text not null, object_key text not null,
    first_sequence bigint not null, last_sequence bigint not null, created_at bigint not null)`,
  sql`create table quota_request (id text primary key, account_id text not null references account(id), quota_code text not null,
    name text not null, desired bigint not null, status text not null, requester text not null, created_at bigint not null,
    updated_at bigint not null)`,
  sql`create index quota_request_account on quota_request (account_id, created_at, id)`,
  sql`create table usage_interval (id text primary key, resource_id text not null, kind text not null, account_id text not null,
    user_id text not null, variety text not null, quantity bigint not null, zone text not null, tags text, started_at bigint not null,
    ended_at bigint)`,
  sql`create index usage_interval_open on usage_interval (resource_id, ended_at)`,
  sql`create index usage_interval_time on usage_interval (started_at, ended_at)`,
  sql`create table usage_amount (resource_id text not null, kind text not null, day bigint not null, account_id text not null,
    amount bigint not null, observed_at bigint not null, primary key (resource_id, kind, day))`,
  sql`create index usage_amount_day on usage_amount (day)`,
  sql`insert into usage_interval (id, resource_id, kind, account_id, user_id, variety, quantity, zone, tags, started_at, ended_at)
    select 'm-' || i.id, i.id, 'instance', i.account_id, i.user_id, i.instance_type, 1, i.availability_zone, null, i.state_changed_at, null
    from instance i where i.state = 'running'`,
  sql`insert into usage_interval (id, resource_id, kind, account_id, user_id, variety, quantity, zone, tags, started_at, ended_at)
    select 'm-' || id, id, 'volume', account_id, '', type, size_gib, availability_zone, null, created_at, null
    from volume where state in ('available', 'in-use')`,
  sql`insert into usage_interval (id, resource_id, kind, account_id, user_id, variety, quantity, zone, tags, started_at, ended_at)
    select 'm-' || id, id, 'snapshot', account_id, '', 'standard', size_gib, '', null, started_at, null
    from snapshot where state = 'completed'`,
  sql`insert into usage_interval (id, resource_id, kind, account_id, user_id, variety, quantity, zone, tags, started_at, ended_at)
    select 'm-' || allocation_id, allocation_id, 'address', account_id, '', 'elastic', 1, '', null, created_at, null
    from address where allocation_id is not null`,
]

export const auditAndUsage: Migration = {
  name: '0019-audit-and-usage',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
