import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSqliteStore } from '@mallee/state-store'
import { migrations } from '../../src/store/record.ts'
import type { Tables } from '../../src/store/tables.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'mallee-migration-'))
})
afterEach(() => rm(dir, { recursive: true }))

test('rules that were there before rules could name peers are there afterwards', async () => {
  const file = path.join(dir, 'record.db')
  const at = migrations.findIndex((migration) => migration.name === '0016-peer-groups')
  const open = (count: number) =>
    openSqliteStore<Tables>({ file, migrations: migrations.slice(0, count), onCommit: () => {} })
  const before = await open(at)
  await before.transaction('action', async ({ db }) => {
    for (const statement of [
      sql`insert into account (id, name, canonical_id, created_at) values ('1', 'one', 'x', 1)`,
      sql`insert into vpc (id, account_id, cidr, is_default, tag, created_at) values ('vpc-1', '1', '10.0.0.0/16', 0, 1, 1)`,
      sql`insert into security_group values ('sg-1', '1', 'vpc-1', 'web', 'x', 1)`,
      sql`insert into security_group_rule (id, account_id, group_id, is_egress, protocol, from_port, to_port, peer_group_id, description, identity)
        values ('sgr-1', '1', 'sg-1', 0, '6', 22, 23, 'sg-1', 'ssh', 'in 6 22 23 sg-1')`,
    ])
      await statement.execute(db)
  })
  await before.close()
  const after = await open(migrations.length)
  const rules = await after.read((db) => db.selectFrom('security_group_rule').selectAll().execute())
  await after.close()
  expect(rules).toEqual([
    {
      ...{ id: 'sgr-1', account_id: '1', group_id: 'sg-1', is_egress: 0 },
      ...{ protocol: '6', from_port: 22, to_port: 23, cidr: null, prefix_list_id: null },
      ...{ peer_group_id: 'sg-1', peer_vpc_id: null, peer_account_id: null, peering_id: null },
      ...{ description: 'ssh', identity: 'in 6 22 23 sg-1' },
    },
  ])
})
