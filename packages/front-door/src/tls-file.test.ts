import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { tmpdir } from 'node:os'
import { expect, onTestFinished, test, vi } from 'vitest'
import { silentLog } from '@mallee/base'
import { createAuthority, issueCertificate } from '@mallee/pki'
import { parseTlsFile, watchTlsFile } from './tls-file.ts'

async function doorFile(): Promise<string> {
  const authority = await createAuthority('Test', Date.now())
  const own = await issueCertificate({
    authority,
    commonName: 'door',
    names: { dns: ['door'] },
    nowMs: Date.now(),
  })
  return `${own.key}\n${own.certificate}\n${authority.certificate}\n`
}

test('a key with its certificate and the authority is read', async () => {
  const tls = parseTlsFile(await doorFile())
  expect(tls.key).toContain('PRIVATE KEY')
  expect(tls.cert.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
  expect(tls.cert.endsWith(tls.ca)).toBe(true)
})

test("half a file, and another certificate's key, are refused", async () => {
  const [one, other] = [await doorFile(), await doorFile()]
  expect(() => parseTlsFile(one.slice(0, one.length / 2))).toThrow('needed')
  const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/
  expect(() => parseTlsFile(one.replace(key, key.exec(other)![0]))).toThrow('not the one')
})

test('the file may come late and be replaced; a bad one keeps the last good one in use', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'tls-file-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const file = path.join(dir, 'door.pem')
  const used: string[] = []
  const watch = watchTlsFile(file, { log: silentLog, use: (tls) => used.push(tls.key) })
  onTestFinished(() => watch.close())
  await writeFile(file, await doorFile())
  await vi.waitFor(() => expect(used).toHaveLength(1), { timeout: 20_000 })
  await writeFile(file, 'nonsense')
  await writeFile(file, await doorFile())
  await vi.waitFor(() => expect(used).toHaveLength(2), { timeout: 20_000 })
})
