import { randomBytes } from 'node:crypto'
import { Agent, request } from 'undici'
import type { BundleItem } from '@mallee/agent-contract'
import { walrusServerName } from '@mallee/pki'
import { fatal, passing } from '../node-error.ts'

/** Stores bytes under a key of the item's bucket. Throws a fatal error for what was refused, a passing one for the rest. */
export type Upload = (item: BundleItem, key: string, bytes: Buffer, signal: AbortSignal) => Promise<void>

/**
 * Uploads by a form, as a browser does: what lets us is the policy that the bucket's owner signed, and not who we are. So
 * without the node's certificate, with which walrus lets it read images and nothing else.
 */
export function formUploader(options: { readonly url: string; readonly authority: string }): Upload {
  let dispatcher: Agent | null = null
  return async (item, key, bytes, signal) => {
    dispatcher ??= new Agent({
      connect: { ca: options.authority, servername: walrusServerName },
      connections: 1,
    })
    const boundary = `mallee-${randomBytes(16).toString('hex')}`
    const response = await request(new URL(`/${encodeURIComponent(item.bucket)}`, options.url), {
      method: 'POST',
      dispatcher,
      signal,
      headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
      body: formOf(item, key, bytes, boundary),
    }).catch((error: unknown) => {
      throw signal.aborted ? error : passing('WalrusAway', 'The object storage does not answer.', error)
    })
    const text = await response.body.text()
    if (response.statusCode < 300) return
    const [, code = `HTTP ${response.statusCode}`] = /<Code>([A-Za-z]{1,80})<\/Code>/.exec(text) ?? []
    const [, message = 'The upload was refused.'] = /<Message>([^<]{1,300})<\/Message>/.exec(text) ?? []
    const sentence = `${code}: ${message}`
    throw response.statusCode >= 500 ? passing('WalrusRefused', sentence) : fatal('UploadRefused', sentence)
  }
}

function formOf(item: BundleItem, key: string, bytes: Buffer, boundary: string): Buffer {
  const acl = aclOf(item.uploadPolicy)
  const fields = {
    key,
    ...(acl === null ? {} : { acl }),
    AWSAccessKeyId: item.accessKeyId,
    policy: item.uploadPolicy,
    signature: item.uploadPolicySignature,
  }
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  const head = `${parts.join('')}--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="part"\r\n\r\n`
  return Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)])
}

/** The policy says what the objects' ACL must be, and a form that says another one is refused. */
function aclOf(policy: string): string | null {
  const { conditions } = JSON.parse(Buffer.from(policy, 'base64').toString('utf8')) as {
    conditions?: unknown
  }
  for (const condition of Array.isArray(conditions) ? (conditions as unknown[]) : []) {
    if (Array.isArray(condition)) {
      const [how, name, value] = condition as unknown[]
      if (how === 'eq' && name === '$acl' && typeof value === 'string') return value
    } else {
      const value = (condition as { acl?: unknown } | null)?.acl
      if (typeof value === 'string') return value
    }
  }
  return null
}
