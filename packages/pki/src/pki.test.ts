import { X509Certificate } from 'node:crypto'
import { connect, createServer } from 'node:tls'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import {
  agentNameOf,
  cloudServerName,
  createAuthority,
  createCertificateRequest,
  issueCertificate,
  requestKeyDigest,
  signCertificateRequest,
} from './pki.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function serve(authority: Awaited<ReturnType<typeof createAuthority>>) {
  const own = await issueCertificate({
    authority,
    commonName: 'cloud',
    names: { dns: [cloudServerName] },
    nowMs: Date.now(),
  })
  const server = createServer({
    key: own.key,
    cert: own.certificate,
    ca: authority.certificate,
    requestCert: true,
    rejectUnauthorized: true,
  })
  const seen = new Promise<string>((resolve) =>
    server.on('secureConnection', (socket) => resolve(socket.getPeerCertificate().subjectaltname ?? '')),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close())
  const refused = new Promise<Error>((resolve) => server.on('tlsClientError', resolve))
  return { port: (server.address() as AddressInfo).port, seen, refused }
}

test('an agent whose request the authority signed is known by its name over TLS', async () => {
  const authority = await createAuthority('Test cloud', Date.now())
  const request = await createCertificateRequest('node one')
  const certificate = await signCertificateRequest({
    authority,
    request: request.request,
    commonName: 'agent-1',
    names: { uri: ['mallee://node/agent-0123'] },
    nowMs: Date.now(),
  })
  const { port, seen } = await serve(authority)
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: cloudServerName,
    ca: authority.certificate,
    key: request.key,
    cert: certificate,
  })
  await once(socket, 'secureConnect')
  expect(agentNameOf(await seen)).toEqual({ kind: 'node', agentId: 'agent-0123' })
  socket.destroy()
})

test('a certificate of another authority is refused', async () => {
  const { port, seen, refused } = await serve(await createAuthority('Ours', Date.now()))
  const other = await createAuthority('Theirs', Date.now())
  const stranger = await issueCertificate({
    authority: other,
    commonName: 'x',
    names: { uri: ['mallee://node/agent-1'] },
    nowMs: Date.now(),
  })
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: cloudServerName,
    rejectUnauthorized: false,
    key: stranger.key,
    cert: stranger.certificate,
  })
  socket.on('error', () => {})
  const outcome = await Promise.race([seen.then(() => 'accepted'), refused.then((error) => error.message)])
  expect(outcome).not.toBe('accepted')
  socket.destroy()
})

test('a name that only resembles an agent is none', () => {
  expect(agentNameOf('DNS:mallee://node/agent-1')).toBeNull()
  expect(agentNameOf('URI:mallee://root/agent-1')).toBeNull()
  expect(agentNameOf(undefined)).toBeNull()
})

test('a request that is none is refused with a sentence', async () => {
  const authority = await createAuthority('Test cloud', Date.now())
  await expect(
    signCertificateRequest({ authority, request: 'no pem', commonName: 'x', names: {}, nowMs: Date.now() }),
  ).rejects.toThrow('The certificate request cannot be read.')
})

test('a request that its own key did not sign has no key digest', async () => {
  const { request } = await createCertificateRequest('node one')
  expect(await requestKeyDigest(request)).toMatch(/^[0-9a-f]{64}$/)
  const der = Buffer.from(request.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
  const name = der.indexOf('node one')
  der.write('node two', name)
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
  await expect(requestKeyDigest(forged)).rejects.toThrow('The certificate request cannot be read.')
})

test('a renewal keeps the key', async () => {
  const authority = await createAuthority('Test cloud', Date.now())
  const first = await createCertificateRequest('node one')
  const second = await createCertificateRequest('node one', first.key)
  expect(second.key).toBe(first.key)
  const sign = (request: string) =>
    signCertificateRequest({ authority, request, commonName: 'x', names: {}, nowMs: Date.now() })
  const keyOf = async (request: string) =>
    new X509Certificate(await sign(request)).publicKey.export({ type: 'spki', format: 'pem' })
  expect(await keyOf(second.request)).toBe(await keyOf(first.request))
})
