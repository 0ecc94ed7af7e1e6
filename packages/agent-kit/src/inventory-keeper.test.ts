import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog, systemClock } from '@mallee/base'
import type { InventoryBlob, InventoryItem } from '@mallee/agent-contract'
import { InventoryKeeper } from './inventory-keeper.ts'
import { Ledger } from './ledger.ts'

let dir: string
let ledger: Ledger
let sent: InventoryBlob[]
let removed: string[]
let away: boolean
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'mallee-keeper-'))
  ledger = await openLedger()
  sent = []
  removed = []
  away = false
})
afterEach(() => rm(dir, { recursive: true }))

const openLedger = () => Ledger.open({ dir, privateKey: 'a key', log: silentLog })
const clock = { ...systemClock, sleep: () => Promise.resolve() }
const keeper = () =>
  new InventoryKeeper({
    ledger,
    source: {
      take: () => Promise.resolve({ entries: [], problems: [] }),
      remove: ({ id }) => {
        if (id === 'used') return Promise.reject(new Error('in use'))
        removed.push(id)
        return Promise.resolve()
      },
    },
    send: (blob) => {
      if (away) return Promise.reject(new Error('away'))
      sent.push(blob)
      return Promise.resolve()
    },
    clock,
    log: silentLog,
  })

let revision = 0
async function ask(body: InventoryItem): Promise<void> {
  revision += 1
  const item = { kind: 'inventory', id: 'host', generation: revision, digest: String(revision), body }
  await ledger.accept({ revision, pollSeconds: 1, index: [item], bodies: [item] })
}
const answered = (count: number) => expect.poll(() => sent.at(-1)?.count).toBe(count)

test('each count is answered once, with what came of its removals', async () => {
  const one = keeper()
  one.refresh()
  await ask({
    count: 3,
    removals: [
      { kind: 'tap', id: 'vn1' },
      { kind: 'tap', id: 'used' },
    ],
  })
  one.refresh()
  await answered(3)
  one.refresh()
  await one.stop()
  expect(sent.length).toBe(1)
  expect(sent[0]!.removals).toEqual([
    { kind: 'tap', id: 'vn1', done: true, reason: null },
    { kind: 'tap', id: 'used', done: false, reason: 'in use' },
  ])
})

test('after a restart it looks again and removes nothing twice', async () => {
  const one = keeper()
  await ask({ count: 3, removals: [{ kind: 'tap', id: 'vn1' }] })
  one.refresh()
  await answered(3)
  await one.stop()
  ledger = await openLedger()
  const two = keeper()
  two.refresh()
  await expect.poll(() => sent.length).toBe(2)
  await two.stop()
  expect(removed).toEqual(['vn1'])
})

test('an answer that does not arrive is sent again; a record that was restored is answered too', async () => {
  const one = keeper()
  await ask({ count: 8, removals: [] })
  away = true
  one.refresh()
  away = false
  await answered(8)
  await ask({ count: 2, removals: [] })
  one.refresh()
  await answered(2)
  await one.stop()
})
