import type { TLSSocket } from 'node:tls'
import type { DesiredItem } from '@mallee/agent-contract'
import { noSuchKey, s3Error, type S3Address } from '@mallee/s3-api'
import { agentNameOf } from '@mallee/pki'
import type { Log } from '@mallee/base'
import { describe } from '../actions/get-object.ts'
import type { S3Answer } from '../actions/s3-context.ts'
import { requireBucket } from '../index/bucket-rows.ts'
import { openObject, streamObject, type ObjectSource } from '../objects/open-object.ts'
import type { RawRequest } from './raw-request.ts'

export interface NodeReads extends ObjectSource {
  readonly log: Log
  images(): readonly DesiredItem<'image-object'>[]
}

/**
 * What a node agent may do: read, with its certificate and no signature, the objects that images are made of, and
 * nothing else (DECISIONS 16). Null where the request is no node's.
 */
export function readForNode(
  raw: RawRequest,
  address: S3Address,
  query: ReadonlyMap<string, string>,
  deps: NodeReads,
): Promise<S3Answer> | null {
  if (raw.headers.authorization !== undefined || query.size > 0) return null
  const socket = raw.message.socket as TLSSocket
  if (!socket.authorized || agentNameOf(socket.getPeerCertificate().subjectaltname)?.kind !== 'node')
    return null
  return read(raw, address, deps)
}

async function read(raw: RawRequest, { bucket, key }: S3Address, deps: NodeReads): Promise<S3Answer> {
  const items = deps.images().filter((item) => item.body.bucket === bucket && item.body.key === key)
  if ((raw.method !== 'GET' && raw.method !== 'HEAD') || !bucket || !key || items.length === 0)
    throw s3Error('AccessDenied')
  const owner = await deps.index.read((db) => requireBucket(db, bucket))
  const object = await openObject(deps, bucket, key)
  if (!object) throw noSuchKey(key)
  let streaming = false
  try {
    // An image lies in its own account's bucket, or it is not one.
    if (!items.some((item) => item.body.accountId === owner.account_id)) throw s3Error('AccessDenied')
    const range = raw.headers.range
    const answer = describe(
      object,
      { Bucket: bucket, Key: key, ...(range === undefined ? {} : { Range: range }) },
      owner,
    )
    if (raw.method === 'HEAD') return answer
    const stream = await streamObject(object, answer.range, deps.log)
    streaming = true
    return { ...answer, stream }
  } finally {
    if (!streaming) object.release()
  }
}
