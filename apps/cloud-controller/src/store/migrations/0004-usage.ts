import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/**
 * A number that grows with every change of what a node or an account uses, so that whoever keeps sums in memory reads
 * only the rows that changed since.
 */
const statements = [
  sql`alter table instance add column usage_revision bigint not null default 0`,
  sql`alter table agent add column usage_revision bigint not null default 0`,
  sql`create index instance_usage on instance (usage_revision)`,
  sql`create index agent_usage on agent (usage_revision)`,
]

export const usage: Migration = {
  name: '0004-usage',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
