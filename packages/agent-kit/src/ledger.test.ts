import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '@mallee/base'
import type { DesiredResponse } from '@mallee/agent-contract'
import { Ledger } from './ledger.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'mallee-ledger-'))
})
afterEach(() => rm(dir, { recursive: true }))
const open = (privateKey = 'a key') => Ledger.open({ dir, privateKey, log: silentLog })

function set(
  revision: number,
  items: { kind: string; id: string; digest: string; body?: unknown }[],
): DesiredResponse {
  const index = items.map(({ kind, id, digest }) => ({ kind, id, generation: revision, digest }))
  const bodies = items
    .filter((item) => item.body !== undefined)
    .map((item) => ({ ...item, generation: revision, body: item.body }))
  return { revision, pollSeconds: 1, index, bodies }
}
const domain = (id: string, digest = 'd1') => ({ kind: 'domain', id, digest, body: { id } })

test('keeps the set over a restart, and takes the bodies it has from before', async () => {
  const ledger = await open()
  expect(await ledger.accept(set(1, [domain('i-1/1'), domain('i-2/1')]))).toBe(true)
  expect(await ledger.accept(set(2, [{ kind: 'domain', id: 'i-2/1', digest: 'd1' }]))).toBe(true)
  const again = await open()
  expect(again.revision).toBe(2)
  expect(again.list('domain').map((item) => item.id)).toEqual(['i-2/1'])
  expect(again.get('domain', 'i-2/1')?.generation).toBe(2)
})

test('an older or equal revision is ignored', async () => {
  const ledger = await open()
  await ledger.accept(set(5, [domain('i-1/1')]))
  expect(await ledger.accept(set(5, []))).toBe(false)
  expect(await ledger.accept(set(4, []))).toBe(false)
  expect(ledger.list('domain').length).toBe(1)
})

test('a set without a body that we lack is a fault and changes nothing', async () => {
  const ledger = await open()
  await expect(ledger.accept(set(1, [{ kind: 'domain', id: 'i-1/1', digest: 'd1' }]))).rejects.toThrow(
    'did not come with the set',
  )
  expect(ledger.revision).toBe(0)
})

test('notes are durable when they are set', async () => {
  const ledger = await open()
  await ledger.setNote('domain i-1/1', { startIntentAtMs: 7 })
  expect((await open()).note('domain i-1/1')).toEqual({ startIntentAtMs: 7 })
})

test('starts are counted, so that report sequences grow', async () => {
  const first = (await open()).starts
  expect((await open()).starts).toBe(first + 1)
})

test('secrets on disk are sealed by the agent’s key; another key fetches the set anew', async () => {
  const ledger = await open()
  await ledger.accept(
    set(1, [{ kind: 'access-key', id: 'AKIA1', digest: 'd', body: { secretAccessKey: 'VERYSECRET' } }]),
  )
  expect(await readFile(path.join(dir, 'desired.json'), 'utf8')).not.toContain('VERYSECRET')
  expect((await open()).get('access-key', 'AKIA1')?.body).toMatchObject({ secretAccessKey: 'VERYSECRET' })
  expect((await open('another key')).revision).toBe(0)
})

test('a half-written temporary file is no harm', async () => {
  const ledger = await open()
  await ledger.accept(set(1, [domain('i-1/1')]))
  await writeFile(path.join(dir, 'desired.json.new'), '{"revision":9,"ite')
  expect((await open()).revision).toBe(1)
})

test('a set that could not be kept does not count', async () => {
  const ledger = await open()
  await ledger.accept(set(1, [domain('i-1/1')]))
  await mkdir(path.join(dir, 'desired.json.new')) // in the way of the file
  await expect(ledger.accept(set(2, []))).rejects.toThrow('EISDIR')
  expect([ledger.revision, ledger.list('domain').length]).toEqual([1, 1])
})

test('what an earlier life was writing is thrown away', async () => {
  await writeFile(path.join(dir, 'notes.json.new'), '{"half')
  await open()
  expect(await readdir(dir)).toEqual(['starts.json'])
})

test('a note that could not be kept was not made', async () => {
  const ledger = await open()
  await ledger.setNote('domain i-1/1', { prepared: true })
  await symlink('/dev/full', path.join(dir, 'notes.json.new'))
  await expect(ledger.setNote('domain i-1/1', { started: true })).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(ledger.note('domain i-1/1')).toEqual({ prepared: true })
  await symlink('/dev/full', path.join(dir, 'notes.json.new'))
  await expect(ledger.setNote('domain i-1/1', undefined)).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(ledger.noteNames('domain ')).toEqual(['domain i-1/1'])
  expect((await open()).note('domain i-1/1')).toEqual({ prepared: true })
})
