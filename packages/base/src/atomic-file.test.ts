import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { writeAtomically } from './atomic-file.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'mallee-atomic-'))
})
afterEach(() => rm(dir, { recursive: true }))

test('where there is no room the old file stays, and nothing else does', async () => {
  const file = path.join(dir, 'kept.json')
  await writeAtomically(file, 'old')
  await symlink('/dev/full', `${file}.new`) // a device on which there is never any
  await expect(writeAtomically(file, 'new')).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(await readFile(file, 'utf8')).toBe('old')
  expect(await readdir(dir)).toEqual(['kept.json'])
  await writeAtomically(file, 'new')
  expect(await readFile(file, 'utf8')).toBe('new')
})
