/**
 * The public keys of OpenID Connect issuers, as OpenID Connect Discovery 1.0 says where they are. The one thing that the
 * cloud controller asks of others: of the issuers that an account has registered, over TLS, outside any transaction.
 */
import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { request, type RequestOptions } from 'node:https'
import { checkServerIdentity, type PeerCertificate, type TLSSocket } from 'node:tls'
import { minuteMs, type Clock } from '@mallee/base'

const answerMs = 5_000
const longestBytes = 256 * 1024
const keptMs = 10 * minuteMs
/** A key that is not among those we have may be new; so often the issuer is asked for it. */
const askedAgainMs = minuteMs
const mostIssuers = 1000

export interface Issuer {
  /** `https://accounts.example.org/realm` */
  readonly url: string
  /** SHA-1 of certificates, in hex, one of which is in its chain where no authority of this machine vouches for it. */
  readonly thumbprints: readonly string[]
}

interface Known {
  readonly keys: ReadonlyMap<string, KeyObject>
  readonly atMs: number
}

/** Throws whatever kept the issuer from answering. */
export type FetchKeys = (issuer: Issuer) => Promise<readonly JsonWebKey[]>

export class OidcKeys {
  private readonly clock: Pick<Clock, 'now'>
  private readonly fetchKeys: FetchKeys
  private readonly known = new Map<string, Known>()
  private readonly asking = new Map<string, Promise<Known>>()

  constructor(deps: { readonly clock: Pick<Clock, 'now'>; readonly fetchKeys?: FetchKeys }) {
    this.clock = deps.clock
    this.fetchKeys = deps.fetchKeys ?? discoverKeys
  }

  /** The issuer's key of that id; null where it has none such. Rejects where the issuer does not answer. */
  async find(issuer: Issuer, keyId: string): Promise<KeyObject | null> {
    const nowMs = this.clock.now()
    const known = this.known.get(idOf(issuer))
    const found = known && nowMs - known.atMs < keptMs ? known.keys.get(keyId) : undefined
    if (found) return found
    if (known && nowMs - known.atMs < askedAgainMs) return null
    return (await this.ask(issuer)).keys.get(keyId) ?? null
  }

  private ask(issuer: Issuer): Promise<Known> {
    const id = idOf(issuer)
    const running = this.asking.get(id)
    if (running) return running
    const asked = this.fetchKeys(issuer)
      .then((keys) => this.keep(issuer, keys))
      .finally(() => this.asking.delete(id))
    this.asking.set(id, asked)
    return asked
  }

  private keep(issuer: Issuer, keys: readonly JsonWebKey[]): Known {
    const known = {
      atMs: this.clock.now(),
      keys: new Map(
        keys.flatMap((jwk): [string, KeyObject][] => {
          const id = (jwk as { kid?: unknown }).kid
          const key = publicKeyOf(jwk)
          return key ? [[typeof id === 'string' ? id : '', key]] : []
        }),
      ),
    }
    if (this.known.size >= mostIssuers) this.known.clear()
    this.known.set(idOf(issuer), known)
    return known
  }
}

/** What one account vouches for by its thumbprints is no other's to believe. */
const idOf = ({ url, thumbprints }: Issuer): string => [url, ...thumbprints].join('\n')

/** Signing keys alone: RSA and elliptic curves. */
function publicKeyOf(jwk: JsonWebKey): KeyObject | null {
  if ((jwk.kty !== 'RSA' && jwk.kty !== 'EC') || (jwk as { use?: string }).use === 'enc') return null
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return null
  }
}

/** https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig */
async function discoverKeys(issuer: Issuer): Promise<readonly JsonWebKey[]> {
  const base = issuer.url.replace(/\/$/, '')
  const about = await getJson(`${base}/.well-known/openid-configuration`, issuer.thumbprints)
  const where = about['jwks_uri']
  if (about['issuer'] !== issuer.url || typeof where !== 'string')
    throw new Error('its configuration is of another issuer, or names no keys')
  const { keys } = await getJson(where, issuer.thumbprints)
  if (!Array.isArray(keys)) throw new Error('it has no list of keys')
  return keys as JsonWebKey[]
}

function getJson(url: string, thumbprints: readonly string[]): Promise<Record<string, unknown>> {
  const { protocol } = new URL(url)
  if (protocol !== 'https:') return Promise.reject(new Error('its keys are not behind TLS'))
  return new Promise((resolve, reject) => {
    const options: RequestOptions = {
      headers: { accept: 'application/json' },
      timeout: answerMs,
      signal: AbortSignal.timeout(answerMs),
      // Judged by isTrusted, before a byte of the answer is believed.
      rejectUnauthorized: false,
    }
    const asking = request(url, options, (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      if (!isTrusted(response.socket as TLSSocket, new URL(url).hostname, thumbprints))
        return asking.destroy(new Error('nobody vouches for its certificate'))
      if (response.statusCode !== 200) return asking.destroy(new Error(`it answered ${response.statusCode}`))
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > longestBytes) asking.destroy(new Error('its answer is too long'))
        else chunks.push(chunk)
      })
      response.on('end', () => {
        try {
          resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, unknown>)
        } catch (error) {
          reject(error as Error)
        }
      })
      response.on('error', reject)
    })
    asking.on('timeout', () => asking.destroy(new Error('it did not answer in time')))
    asking.on('error', reject)
    asking.end()
  })
}

/** By an authority that this machine trusts, or by the thumbprint of a certificate in its chain; in its own name anyway. */
function isTrusted(socket: TLSSocket, host: string, thumbprints: readonly string[]): boolean {
  const own = socket.getPeerCertificate(true)
  if (checkServerIdentity(host, own)) return false
  if (socket.authorized) return true
  const wanted = new Set(thumbprints.map((text) => text.toLowerCase()))
  const seen = new Set<PeerCertificate>()
  for (let at: typeof own | undefined = own; at?.raw && !seen.has(at); at = at.issuerCertificate) {
    if (wanted.has(createHash('sha1').update(at.raw).digest('hex'))) return true
    seen.add(at)
  }
  return false
}
