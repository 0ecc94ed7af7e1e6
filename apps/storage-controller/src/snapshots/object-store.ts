import { createHash } from 'node:crypto'
import { Agent, request } from 'undici'
import { MalleeError } from '@mallee/base'
import type { AgentIdentity } from '@mallee/agent-kit'
import { walrusServerName } from '@mallee/pki'
import { snapshotBucket } from '@mallee/volume-snapshots'

const headersMs = 30_000
const largestObjectBytes = 512 * 1024 * 1024

/** Where the blocks and indexes of snapshots lie. */
export interface ObjectStore {
  put(key: string, bytes: Buffer): Promise<void>
  /** Null where there is none. */
  get(key: string, bucket?: string): Promise<Buffer | null>
  /** Success where there is none. */
  remove(key: string): Promise<void>
  /** Every key that begins so. */
  list(prefix: string): Promise<string[]>
  close(): Promise<void>
}

export interface WalrusStore extends ObjectStore {
  /** Shows a renewed certificate from the next connection on. */
  renewed(identity: AgentIdentity): void
}

/** Walrus, with the storage controller's certificate: it lets storage controllers into that one bucket. */
export function walrusStore(options: { url: string; identity: AgentIdentity }): WalrusStore {
  let dispatcher = dispatcherFor(options.identity)
  const call = async (
    method: 'GET' | 'PUT' | 'DELETE',
    path: string,
    body?: Buffer,
  ): Promise<{ status: number; bytes: Buffer }> => {
    const headers = body
      ? { 'x-amz-content-sha256': createHash('sha256').update(body).digest('hex') }
      : undefined
    const response = await request(new URL(path, options.url), {
      method,
      dispatcher,
      ...(body ? { body } : {}),
      ...(headers ? { headers } : {}),
    }).catch((error: unknown) => {
      throw away('Walrus does not answer.', error)
    })
    const chunks: Buffer[] = []
    let total = 0
    try {
      for await (const chunk of response.body) {
        total += (chunk as Buffer).length
        if (total > largestObjectBytes) throw new RangeError('an object is too large')
        chunks.push(chunk as Buffer)
      }
    } catch (error) {
      throw away('Walrus hung up.', error)
    }
    return { status: response.statusCode, bytes: Buffer.concat(chunks) }
  }
  const keyPath = (key: string, bucket = snapshotBucket) =>
    `/${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`
  return {
    async put(key, bytes) {
      const { status } = await call('PUT', keyPath(key), bytes)
      if (status !== 200) throw refused('keep a block', status)
    },
    async get(key, bucket) {
      const { status, bytes } = await call('GET', keyPath(key, bucket))
      if (status === 404) return null
      if (status !== 200) throw refused('give a block', status)
      return bytes
    },
    async remove(key) {
      const { status } = await call('DELETE', keyPath(key))
      if (status !== 204 && status !== 200 && status !== 404) throw refused('remove a block', status)
    },
    async list(prefix) {
      const keys: string[] = []
      for (let token: string | null = null; ;) {
        const query = new URLSearchParams({ 'list-type': '2', prefix })
        if (token !== null) query.set('continuation-token', token)
        const { status, bytes } = await call('GET', `/${snapshotBucket}?${query.toString()}`)
        if (status !== 200) throw refused('list blocks', status)
        const page = readListing(bytes.toString('utf8'))
        keys.push(...page.keys)
        token = page.next
        if (token === null) return keys
      }
    },
    renewed(identity) {
      const old = dispatcher
      dispatcher = dispatcherFor(identity)
      void old.close()
    },
    close: () => dispatcher.destroy(),
  }
}

function dispatcherFor(identity: AgentIdentity): Agent {
  return new Agent({
    connect: {
      ca: identity.authority,
      cert: identity.certificate,
      key: identity.key,
      servername: walrusServerName,
    },
    connections: 8,
    headersTimeout: headersMs,
    bodyTimeout: headersMs,
  })
}

/** Our own keys hold nothing that XML would have to escape. */
function readListing(xml: string): { keys: string[]; next: string | null } {
  return {
    keys: [...xml.matchAll(/<Key>([^<]*)<\/Key>/g)].map((found) => found[1]!),
    next: /<NextContinuationToken>([^<]*)<\/NextContinuationToken>/.exec(xml)?.[1] ?? null,
  }
}

function away(sentence: string, cause: unknown): MalleeError {
  return new MalleeError({ code: 'WalrusAway', publicMessage: sentence, cause, retryable: true })
}

/** A full or ailing walrus may be well again. */
function refused(what: string, status: number): MalleeError {
  return new MalleeError({
    code: 'WalrusRefused',
    publicMessage: `Walrus did not ${what}: it answered ${status}.`,
    retryable: true,
  })
}
