import type { TLSSocket } from 'node:tls'
import type { Clock } from '@mallee/base'
import { agentNameOf } from '@mallee/pki'
import { s3Error, type S3Address } from '@mallee/s3-api'
import type { Authenticated } from '../identity/authenticate.ts'
import type { Caller } from '../identity/caller.ts'
import { findBucket, insertBucket } from '../index/bucket-rows.ts'
import type { Index } from '../index/tables.ts'
import type { RawRequest } from './raw-request.ts'

/** Where storage controllers keep the blocks of snapshots; no tenant can make a bucket of this name. */
export const snapshotBucket = 'mallee-ebs'

/** Whose that bucket is: the cloud's own, an account that nobody can sign for. */
const system: Caller = {
  accessKeyId: '',
  accountId: '000000000000',
  canonicalId: '0'.repeat(64),
  accountName: 'mallee',
  userId: 'storage',
  userName: 'storage',
}

const allowed: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE'])

/**
 * A storage controller by its certificate and without a signature (DECISIONS 16): it may read, write, list and remove in
 * that one bucket and do nothing else. Null where the request is none of its.
 */
export async function authenticateStorage(
  raw: RawRequest,
  { bucket, key }: S3Address,
  { index, clock }: { readonly index: Index; readonly clock: Clock },
): Promise<Authenticated | null> {
  if (raw.headers.authorization !== undefined) return null
  const socket = raw.message.socket as TLSSocket
  if (!socket.authorized || agentNameOf(socket.getPeerCertificate().subjectaltname)?.kind !== 'storage')
    return null
  const listing = key === undefined && raw.method === 'GET'
  if (bucket !== snapshotBucket || !allowed.has(raw.method) || (key === undefined && !listing))
    throw s3Error('AccessDenied')
  await ensureBucket(index, clock)
  const sha256 = raw.headers['x-amz-content-sha256']
  if (raw.method === 'PUT' && typeof sha256 !== 'string') throw s3Error('AccessDenied')
  return {
    caller: system,
    payload: typeof sha256 === 'string' ? { kind: 'sha256', sha256 } : { kind: 'unsigned' },
    signed: null,
  }
}

async function ensureBucket(index: Index, clock: Clock): Promise<void> {
  if (await index.read((db) => findBucket(db, snapshotBucket))) return
  await index.transaction('action', async (tx) => {
    if (await findBucket(tx.db, snapshotBucket)) return
    await insertBucket(tx, {
      name: snapshotBucket,
      account_id: system.accountId,
      canonical_id: system.canonicalId,
      account_name: system.accountName,
      created_at: clock.now(),
    })
  })
}
