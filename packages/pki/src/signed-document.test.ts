import { execFileSync } from 'node:child_process'
import { createVerify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { signDocument } from './signed-document.ts'
import { createSigningCertificate } from './signing-certificate.ts'

const nowMs = Date.now()
const document = '{\n  "instanceId" : "i-1"\n}'

test('openssl verifies what was signed, and nothing else, against the certificate', async () => {
  const own = await createSigningCertificate('Mallee instance identity', nowMs)
  const other = await createSigningCertificate('Mallee instance identity', nowMs)
  const signed = signDocument(document, own)
  const isOurs = (text: string) =>
    createVerify('sha256').update(text).verify(own.certificate, signed.signature, 'base64')
  expect([isOurs(document), isOurs(`${document} `)]).toEqual([true, false])
  const dir = mkdtempSync(path.join(tmpdir(), 'mallee-signed-'))
  try {
    const file = (name: string, text: string) => {
      writeFileSync(path.join(dir, name), text)
      return path.join(dir, name)
    }
    // As AWS tells its users to.
    const lines = signed.pkcs7.replaceAll(/.{64}/g, '$&\n')
    const pkcs7 = file('pkcs7', `-----BEGIN PKCS7-----\n${lines}\n-----END PKCS7-----\n`)
    const verify = (certificate: string) =>
      execFileSync(
        'openssl',
        ['smime', '-verify', '-in', pkcs7, '-inform', 'PEM', '-noverify', '-certfile', certificate],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
      )
    expect(verify(file('own.pem', own.certificate)).replaceAll('\r\n', '\n')).toBe(document)
    expect(() => verify(file('other.pem', other.certificate))).toThrow()
  } finally {
    rmSync(dir, { recursive: true })
  }
})
