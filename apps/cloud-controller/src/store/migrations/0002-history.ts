import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/**
 * What it takes to tell afterwards what happened: transitions of state as event rows beside actions, events found by
 * the resource they are about, the request that last moved a row, and what agents found on their hosts when asked.
 */
const statements = [
  sql`alter table event add column from_state text`,
  sql`alter table event add column to_state text`,
  sql`alter table event add column reason text`,
  sql`create table event_resource (resource_id text not null, event_id text not null references event(id),
    primary key (resource_id, event_id))`,
  sql`alter table instance add column request_id text`,
  sql`alter table instance add column trace_parent text`,
  sql`alter table image add column request_id text`,
  sql`alter table image add column trace_parent text`,
  sql`create table inventory (agent_id text primary key references agent(id), count bigint not null, taken_at bigint not null,
    body text not null)`,
]

export const history: Migration = {
  name: '0002-history',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
