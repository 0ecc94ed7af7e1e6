import { mkdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { connect } from 'node:tls'
import { MalleeError, writeAtomically } from '@mallee/base'
import { certificateFingerprint, cloudServerName, createCertificateRequest } from '@mallee/pki'
import { CloudClient } from './cloud-client.ts'
import { saveIdentity, type AgentIdentity } from './identity.ts'
import { parseJoinToken } from './join-token.ts'

/** Buys an identity with a join token and keeps it in `dir`. The cloud's authority must be the one the token names. */
export async function joinCloud(options: {
  url: string
  token: string
  name: string
  dir: string
}): Promise<AgentIdentity> {
  const token = parseJoinToken(options.token)
  const authority = await fetchAuthority(options.url)
  if (certificateFingerprint(authority) !== token.fingerprint) {
    throw new MalleeError({
      code: 'WrongCloud',
      publicMessage: `The cloud at ${options.url} is not the one that issued this token.`,
    })
  }
  // The key is kept before it is used: whoever dies before the answer is here asks again and is the same agent.
  const kept = await keepJoiningKey(options.dir, options.name)
  const { key, request } = await createCertificateRequest(options.name, kept)
  const client = new CloudClient({ url: options.url, authority })
  try {
    const answer = await client.register({
      kind: token.kind,
      token: options.token,
      name: options.name,
      certificateRequest: request,
    })
    const identity: AgentIdentity = {
      agentId: answer.agentId,
      kind: token.kind,
      name: options.name,
      availabilityZone: answer.availabilityZone,
      region: answer.region,
      key,
      certificate: answer.certificate,
      authority: answer.authority,
      cloudUrl: options.url,
      publicPool: answer.publicPool,
    }
    await saveIdentity(options.dir, identity)
    await rm(joiningFile(options.dir), { force: true })
    return identity
  } finally {
    await client.close()
  }
}

function joiningFile(dir: string): string {
  return path.join(dir, 'joining.key')
}

async function keepJoiningKey(dir: string, name: string): Promise<string> {
  const present = await readFile(joiningFile(dir), 'utf8').catch(() => null)
  if (present !== null) return present
  const { key } = await createCertificateRequest(name)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await writeAtomically(joiningFile(dir), key)
  return key
}

const connectMs = 10_000

/** The authority's certificate, as the cloud shows it at the end of its chain; believed only by its fingerprint. */
function fetchAuthority(url: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: hostname,
      port: Number(port),
      servername: cloudServerName,
      rejectUnauthorized: false,
    })
    socket.setTimeout(connectMs, () => socket.destroy(new Error(`no answer from ${url}`)))
    socket.on('error', reject)
    socket.on('secureConnect', () => {
      let certificate = socket.getPeerCertificate(true)
      while (certificate.issuerCertificate && certificate.issuerCertificate !== certificate) {
        certificate = certificate.issuerCertificate as typeof certificate
      }
      socket.destroy()
      const lines = certificate.raw.toString('base64').match(/.{1,64}/g) ?? []
      resolve(`-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`)
    })
  })
}
