import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { keyIdOf, openKeyring } from './keyring.ts'

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

test('a new key seals, old ones open until they are retired, and tokens stay what they were', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'mallee-keyring-'))
  try {
    const file = path.join(dir, 'keyring.json')
    const ring = await openKeyring(file)
    const [old, token] = [ring.seal('secret', 'a'), ring.sign('token')]
    expect(await ring.rotate()).toBe('k2')
    const fresh = ring.seal('secret', 'a')
    expect([keyIdOf(old), keyIdOf(fresh)]).toEqual(['k1', 'k2'])
    const again = await openKeyring(file)
    for (const known of [ring, again]) {
      expect([known.open(old, 'a'), known.open(fresh, 'a')]).toEqual(['secret', 'secret'])
      expect(known.sign('token')).toEqual(token)
      expect(known.keyIds()).toEqual(['k1', 'k2'])
    }
    await expect(again.retire('k2')).rejects.toThrow('seals')
    await again.retire('k1')
    expect(() => again.open(old, 'a')).toThrow('the key k1')
    expect((await openKeyring(file)).sign('token')).toEqual(token)
    // A disk without room keeps the ring as it is.
    await symlink('/dev/full', `${file}.new`)
    await expect(again.rotate()).rejects.toThrow('ENOSPC')
    expect(keyIdOf(again.seal('x', 'a'))).toBe('k2')
  } finally {
    await rm(dir, { recursive: true })
  }
})
