import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CloudUnderTest } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
})
afterEach(() => cloud.stop())

/** What ssh-keygen makes of a private key that we gave out. */
function publicHalf(material: string): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'mallee-key-'))
  try {
    writeFileSync(path.join(dir, 'key'), `${material}\n`, { mode: 0o600 })
    return execFileSync('ssh-keygen', ['-y', '-f', path.join(dir, 'key')], { encoding: 'utf8' }).trim()
  } finally {
    rmSync(dir, { recursive: true })
  }
}

test.each(['rsa', 'ed25519'])('a new %s key is one that ssh reads, and is shown once', async (type) => {
  const made = await cloud.call('CreateKeyPair', { KeyName: 'k', KeyType: type })
  const material = (made.xml.keyMaterial as string).replaceAll('&#xD;', '')
  const listed = await cloud.call('DescribeKeyPairs', { IncludePublicKey: true })
  const [key] = listed.xml.keySet.item
  expect(publicHalf(material).split(' ').slice(0, 2).join(' ')).toBe(
    (key.publicKey as string).split(' ').slice(0, 2).join(' '),
  )
  expect(key.keyType).toBe(type)
  expect(key.keyFingerprint).toBe(made.xml.keyFingerprint)
  expect(listed.body).not.toContain('PRIVATE')
  const rows = await cloud.cloud.record.read((db) => db.selectFrom('key_pair').selectAll().execute())
  expect(JSON.stringify(rows)).not.toContain('PRIVATE')
})

test('an imported key keeps its fingerprint as AWS computes it', async () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const der = publicKey.export({ type: 'spki', format: 'der' })
  const byDer = await cloud.call('ImportKeyPair', {
    KeyName: 'der',
    PublicKeyMaterial: Buffer.from(der.toString('base64')).toString('base64'),
  })
  const { createHash } = await import('node:crypto')
  const md5 = createHash('md5')
    .update(der)
    .digest('hex')
    .replaceAll(/..(?=.)/g, '$&:')
  expect(byDer.xml.keyFingerprint).toBe(md5)
})

test.each([
  ['nonsense', 'InvalidKey.Format'],
  ['ssh-rsa AAAA', 'InvalidKey.Format'],
  ['ssh-dss AAAAB3NzaC1kc3MAAAA', 'InvalidKey.Format'],
])('%s is no key', async (material, code) => {
  const answer = await cloud.call('ImportKeyPair', {
    KeyName: 'k',
    PublicKeyMaterial: Buffer.from(material).toString('base64'),
  })
  expect(answer.code).toBe(code)
})

test('a name is taken once, deleting is success twice, and others see nothing', async () => {
  const other = await cloud.createAccount('other')
  await cloud.call('CreateKeyPair', { KeyName: 'k', KeyType: 'ed25519' })
  expect((await cloud.call('CreateKeyPair', { KeyName: 'k' })).code).toBe('InvalidKeyPair.Duplicate')
  expect(
    (await cloud.call('CreateKeyPair', { KeyName: 'k', KeyType: 'ed25519' }, { as: other })).status,
  ).toBe(200)
  expect((await cloud.call('DescribeKeyPairs', { 'KeyName.1': 'nobody' })).code).toBe(
    'InvalidKeyPair.NotFound',
  )
  expect((await cloud.call('DeleteKeyPair', { KeyName: 'k' })).status).toBe(200)
  expect((await cloud.call('DeleteKeyPair', { KeyName: 'k' })).status).toBe(200)
  expect((await cloud.call('DescribeKeyPairs', {}, { as: other })).xml.keySet.item.length).toBe(1)
})
