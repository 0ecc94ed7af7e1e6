import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/**
 * What several machines need: since when an agent is being drained, and which key a join token was used for, so that an
 * agent that died before it had its answer may ask again with the same key.
 */
const statements = [
  sql`alter table agent add column draining_since bigint`,
  sql`alter table join_token add column key_digest text`,
]

export const machines: Migration = {
  name: '0003-machines',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
