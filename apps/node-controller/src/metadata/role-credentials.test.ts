import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '@mallee/base'
import type { RoleCredentials } from '@mallee/agent-contract'
import { Ledger } from '@mallee/agent-kit'
import { RoleCredentialsKeeper } from './role-credentials.ts'

const hourMs = 3_600_000
let dir: string
let nowMs: number
let answers: (() => Promise<RoleCredentials>)[]
let asked: number

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'mallee-roles-'))
  nowMs = 1_000_000_000_000
  answers = []
  asked = 0
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const success = (): RoleCredentials => ({
  ...{ code: 'Success', message: '', updatedAtMs: nowMs, roleName: 'app' },
  ...{ accessKeyId: `ASIA${asked}`, secretAccessKey: 'very secret', token: 'token' },
  expiresAtMs: nowMs + 6 * hourMs,
})
const away = async (): Promise<RoleCredentials> => {
  throw new Error('the cloud is away')
}

async function open() {
  const ledger = await Ledger.open({ dir, privateKey: 'key', log: silentLog })
  const client = {
    roleCredentials: () => {
      asked += 1
      return (answers.shift() ?? (async () => success()))()
    },
  }
  return new RoleCredentialsKeeper({ client, ledger, clock: { now: () => nowMs }, log: silentLog })
}
const item = { instanceId: 'i-1', instanceProfile: { arn: 'arn', id: 'AIPA1' } }

test('credentials are renewed long before they end, and served meanwhile', async () => {
  const keeper = await open()
  expect((await keeper.of(item))?.accessKeyId).toBe('ASIA1')
  nowMs += 29 * 60_000
  expect((await keeper.of(item))?.accessKeyId).toBe('ASIA1')
  nowMs += 60_000
  expect((await keeper.of(item))?.accessKeyId).toBe('ASIA2')
})

test('they outlive the cloud being away and a new start, sealed, and end when they end', async () => {
  const before = await open()
  await before.of(item)
  expect(await readFile(path.join(dir, 'notes.json'), 'utf8')).not.toContain('very secret')
  const keeper = await open()
  answers = Array.from({ length: 100 }, () => away)
  nowMs += 5 * hourMs
  expect((await keeper.of(item))?.accessKeyId).toBe('ASIA1')
  nowMs += hourMs
  expect(await keeper.of(item)).toBeNull()
  answers = []
  nowMs += 60_000
  expect((await keeper.of(item))?.code).toBe('Success')
})

test('another profile has other credentials, and none has none', async () => {
  const keeper = await open()
  await keeper.of(item)
  expect((await keeper.of({ ...item, instanceProfile: { arn: 'b', id: 'AIPA2' } }))?.accessKeyId).toBe(
    'ASIA2',
  )
  expect(await keeper.of({ instanceId: 'i-1' })).toBeNull()
  expect(asked).toBe(2)
})

test('many questions at once are one, and a failure is not repeated at once', async () => {
  const keeper = await open()
  answers = [away]
  await Promise.all(Array.from({ length: 20 }, () => keeper.of(item)))
  expect(asked).toBe(1)
  await keeper.of(item)
  expect(asked).toBe(1)
  nowMs += 10_000
  expect((await keeper.of(item))?.code).toBe('Success')
})

test('what belongs to no instance any more is forgotten', async () => {
  const keeper = await open()
  await keeper.of(item)
  await keeper.pass()
  expect(await readFile(path.join(dir, 'notes.json'), 'utf8')).toBe('{}')
})
