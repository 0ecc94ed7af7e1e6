import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { openKeyring } from './keyring.ts'

test('a keyring that did not fit on the disk is not in the way of the next start', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'mallee-keyring-'))
  try {
    const file = path.join(dir, 'keyring.json')
    await symlink('/dev/full', `${file}.new`)
    await expect(openKeyring(file)).rejects.toThrow('ENOSPC')
    expect(await readdir(dir)).toEqual([])
    const sealed = (await openKeyring(file)).seal('secret', 'AKIA')
    expect((await openKeyring(file)).open(sealed, 'AKIA')).toBe('secret')
  } finally {
    await rm(dir, { recursive: true })
  }
})
