import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/**
 * What clients of an earlier era need: an account's leave to sign by Version 2, users' X.509 certificates, and which
 * signed SOAP messages were taken, until each expires, so that no message is taken twice, whatever restarts.
 */
const statements = [
  sql`alter table account add column legacy_signatures bigint not null default 0`,
  sql`create table signing_certificate (id text primary key, account_id text not null references account(id),
    user_id text not null references "user"(id), digest text not null unique, certificate text not null,
    enabled bigint not null, created_at bigint not null)`,
  sql`create index signing_certificate_user on signing_certificate (user_id)`,
  sql`create table soap_message (digest text primary key, expires_at bigint not null)`,
  sql`create index soap_message_expiry on soap_message (expires_at)`,
]

export const oldClients: Migration = {
  name: '0005-old-clients',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
