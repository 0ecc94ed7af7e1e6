import { Agent, request } from 'undici'
import type { AgentIdentity } from '@mallee/agent-kit'
import { walrusServerName } from '@mallee/pki'
import { fatal, passing } from '../node-error.ts'

/** Puts an object into a bucket. Throws a fatal error for what is refused, a passing one for the rest. */
export type SendRecords = (bucket: string, key: string, bytes: Buffer) => Promise<void>

const timeoutMs = 60_000

/** By the node's own certificate: walrus knows which flow logs cover its interfaces, and takes nothing else. */
export function flowLogSender(options: { readonly url: string; readonly identity: AgentIdentity }): {
  readonly send: SendRecords
  close(): Promise<void>
} {
  const { authority, certificate, key: privateKey } = options.identity
  let dispatcher: Agent | null = null
  return {
    async send(bucket, key, bytes) {
      dispatcher ??= new Agent({
        connect: { ca: authority, cert: certificate, key: privateKey, servername: walrusServerName },
        connections: 1,
      })
      const path = `/${[bucket, ...key.split('/')].map(encodeURIComponent).join('/')}`
      const { statusCode, body } = await request(new URL(path, options.url), {
        method: 'PUT',
        dispatcher,
        body: bytes,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      }).catch((error: unknown) => {
        throw passing('WalrusAway', 'The object storage does not answer.', error)
      })
      await body.dump()
      if (statusCode < 300) return
      const sentence = `The object storage answered ${statusCode} for records of a flow log.`
      throw statusCode < 500 ? fatal('RecordsRefused', sentence) : passing('WalrusRefused', sentence)
    },
    close: async () => dispatcher?.destroy(),
  }
}
