import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startPrivatePostgres, whyNoPostgres, type PrivatePostgres } from '@mallee/testkit'
import {
  assertOutsideTransaction,
  openPostgresStore,
  openSqliteStore,
  type Migration,
  type StateStore,
} from '../src/index.ts'

interface Tables {
  counter: { name: string; value: number }
}
const migrations: Migration[] = [
  {
    name: '0001-counter',
    async up(db) {
      await sql`create table counter (name text primary key, value bigint not null)`.execute(db)
    },
  },
]

interface Engine {
  open(): Promise<StateStore<Tables>>
  close(): Promise<void>
}

async function sqliteEngine(): Promise<Engine> {
  const dir = await mkdtemp(path.join(tmpdir(), 'mallee-store-'))
  return {
    open: () => openSqliteStore({ file: path.join(dir, 'a.db'), migrations }),
    close: () => rm(dir, { recursive: true }),
  }
}

let postgres: PrivatePostgres | null = null
const noPostgres = whyNoPostgres()
if (noPostgres) console.warn(`SKIPPED: the store suite on PostgreSQL, because ${noPostgres}`)
beforeAll(async () => {
  if (!noPostgres) postgres = await startPrivatePostgres()
})
afterAll(() => postgres?.stop())

async function postgresEngine(): Promise<Engine> {
  const open = () => openPostgresStore<Tables>({ connectionString: postgres!.url, migrations })
  const store = await open()
  await store.transaction('action', (tx) => tx.db.deleteFrom('counter').execute())
  await store.close()
  return { open, close: () => Promise.resolve() }
}

describe.each([
  ['sqlite', sqliteEngine],
  ...(noPostgres ? [] : [['postgres', postgresEngine] as const]),
] as const)('%s', (_name, make) => {
  let engine: Engine
  let store: StateStore<Tables>
  beforeEach(async () => {
    engine = await make()
    store = await engine.open()
    await store.transaction('action', (tx) =>
      tx.db.insertInto('counter').values({ name: 'a', value: 0 }).execute(),
    )
  })
  afterEach(async () => {
    await store.close()
    await engine.close()
  })
  const value = () =>
    store.read((db) =>
      db.selectFrom('counter').select('value').where('name', '=', 'a').executeTakeFirstOrThrow(),
    )

  test('transactions that race lose nothing', async () => {
    const increment = () =>
      store.transaction('action', async (tx) => {
        const row = await tx.db
          .selectFrom('counter')
          .select('value')
          .where('name', '=', 'a')
          .executeTakeFirstOrThrow()
        await tx.db
          .updateTable('counter')
          .set({ value: row.value + 1 })
          .where('name', '=', 'a')
          .execute()
      })
    await Promise.all(Array.from({ length: 30 }, increment))
    expect((await value()).value).toBe(30)
  })

  test('a transaction that throws leaves nothing, wakes nobody and does not harm its neighbours', async () => {
    const woken: string[] = []
    const results = await Promise.allSettled([
      store.transaction('action', async (tx) => {
        await tx.db.insertInto('counter').values({ name: 'good', value: 1 }).execute()
        tx.afterCommit(() => woken.push('good'))
      }),
      store.transaction('action', async (tx) => {
        await tx.db.insertInto('counter').values({ name: 'bad', value: 1 }).execute()
        tx.afterCommit(() => woken.push('bad'))
        throw new Error('no')
      }),
      store.transaction('action', async (tx) => {
        await tx.db.insertInto('counter').values({ name: 'a', value: 1 }).execute() // taken
      }),
    ])
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    expect(woken).toEqual(['good'])
    const names = await store.read((db) => db.selectFrom('counter').select('name').orderBy('name').execute())
    expect(names.map((row) => row.name)).toEqual(['a', 'good'])
  })

  test('what was committed is there after a reopening, once', async () => {
    await store.transaction('action', (tx) => tx.db.updateTable('counter').set({ value: 7 }).execute())
    await store.close()
    store = await engine.open()
    expect((await value()).value).toBe(7)
  })

  test('a transaction inside a transaction, and I/O inside one, are refused', async () => {
    await expect(
      store.transaction('action', () => store.transaction('action', async () => {})),
    ).rejects.toThrow('was opened inside')
    await expect(
      store.transaction('report', async () => {
        await Promise.resolve()
        assertOutsideTransaction('an HTTP call')
      }),
    ).rejects.toThrow('an HTTP call inside a report transaction')
    expect((await value()).value).toBe(0)
  })

  test('64-bit numbers come back as numbers', async () => {
    await store.transaction('action', (tx) =>
      tx.db.updateTable('counter').set({ value: 1_800_000_000_000 }).execute(),
    )
    expect((await value()).value).toBe(1_800_000_000_000)
  })
})

test('a record of a newer version is refused', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'mallee-store-'))
  const file = path.join(dir, 'a.db')
  await (
    await openSqliteStore({ file, migrations: [...migrations, { name: '0002-later', up: async () => {} }] })
  ).close()
  await expect(openSqliteStore({ file, migrations })).rejects.toThrow('newer version')
  await rm(dir, { recursive: true })
})

test('a transaction that finds no room is refused by name, whole, and those that share its commit with it', async () => {
  const engine = await sqliteEngine()
  const store = await engine.open()
  const insert = (name: string) =>
    store.transaction('action', (tx) => tx.db.insertInto('counter').values({ name, value: 0 }).execute())
  try {
    await store.transaction('action', (tx) => sql`pragma max_page_count = 1`.execute(tx.db)) // as large as it is now
    const full = {
      code: 'Unavailable',
      retryable: true,
      publicMessage: expect.stringContaining('disk space'),
    }
    const answers = await Promise.allSettled([insert('x'.repeat(100_000)), insert('y'.repeat(100_000))])
    expect(answers.map((answer) => answer.status)).toEqual(['rejected', 'rejected'])
    for (const answer of answers) expect((answer as PromiseRejectedResult).reason).toMatchObject(full)
    await insert('small')
    await store.transaction('action', (tx) => sql`pragma max_page_count = 100000`.execute(tx.db))
    await insert('z'.repeat(100_000))
    const rows = await store.read((db) => db.selectFrom('counter').select('name').execute())
    expect(rows.map((row) => row.name[0])).toEqual(['s', 'z'])
  } finally {
    await store.close()
    await engine.close()
  }
})
