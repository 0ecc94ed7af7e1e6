import { X509Certificate } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { dayMs } from '@mallee/base'
import { createAuthority } from '@mallee/pki'
import { doorCertificateFile, ensureDoorCertificate } from '../../src/identity/door-certificate.ts'

async function world() {
  const stateDir = await mkdtemp(path.join(tmpdir(), 'door-'))
  onTestFinished(() => rm(stateDir, { recursive: true }))
  await mkdir(path.join(stateDir, 'pki'))
  const authority = await createAuthority('Test', Date.now())
  const nowMs = Date.now()
  const ensure = (publicNames: string[], laterMs = 0) =>
    ensureDoorCertificate({
      file: doorCertificateFile(stateDir),
      authority,
      publicNames,
      nowMs: nowMs + laterMs,
    })
  const read = async () => readFile(doorCertificateFile(stateDir), 'utf8')
  return { ensure, read }
}

test('the certificate names every address, stays while it is good, and is renewed in time', async () => {
  const { ensure, read } = await world()
  await ensure(['cloud.example', '198.18.0.1'])
  const first = await read()
  const names = new X509Certificate(/-----BEGIN CERT[^]+?END CERTIFICATE-----/.exec(first)![0]).subjectAltName
  for (const name of ['DNS:localhost', 'DNS:cloud.example', 'IP Address:127.0.0.1', 'IP Address:198.18.0.1'])
    expect(names).toContain(name)
  await ensure(['cloud.example', '198.18.0.1'], 30 * dayMs)
  expect(await read()).toBe(first)
  await ensure(['cloud.example', '198.18.0.1'], 70 * dayMs)
  expect(await read()).not.toBe(first)
})

test('another name is another certificate', async () => {
  const { ensure, read } = await world()
  await ensure(['one.example'])
  const first = await read()
  await ensure(['two.example'])
  expect(await read()).not.toBe(first)
})
