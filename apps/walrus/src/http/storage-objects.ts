import type { TLSSocket } from 'node:tls'
import { parseForm } from '@mallee/aws-protocol'
import type { Clock } from '@mallee/base'
import { agentNameOf } from '@mallee/pki'
import { s3Error, type S3Address } from '@mallee/s3-api'
import { snapshotBucket } from '@mallee/volume-snapshots'
import type { Authenticated } from '../identity/authenticate.ts'
import type { Caller } from '../identity/caller.ts'
import { findBucket, insertBucket } from '../index/bucket-rows.ts'
import type { BucketSettings } from '../index/bucket-settings.ts'
import type { Index } from '../index/tables.ts'
import type { RawRequest } from './raw-request.ts'

/** Whose that bucket is: the cloud's own, an account that nobody can sign for. */
const system: Caller = {
  accessKeyId: '',
  accountId: '000000000000',
  canonicalId: '0'.repeat(64),
  accountName: 'mallee',
  userId: 'storage',
  principal: {
    kind: 'root',
    accountId: '000000000000',
    userId: 'storage',
    arn: 'arn:aws:iam::000000000000:root',
  },
  policies: {},
  unrestricted: true,
  session: null,
}

const allowed: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE'])
const listingQueries: ReadonlySet<string> = new Set(['list-type', 'prefix', 'continuation-token'])
const ownHeaders: ReadonlySet<string> = new Set(['x-amz-content-sha256'])

/** No list of grants counts in it, and nothing that is public: tenants' disks lie there. */
const settings = {
  ownership: 'BucketOwnerEnforced',
  publicAccessBlock: {
    BlockPublicAcls: true,
    IgnorePublicAcls: true,
    BlockPublicPolicy: true,
    RestrictPublicBuckets: true,
  },
} satisfies BucketSettings

/**
 * A storage controller by its certificate and without a signature (DECISIONS 16): it may read, write, list and remove in
 * that one bucket and do nothing else. Null where the request is none of its.
 */
export function authenticateStorage(
  raw: RawRequest,
  address: S3Address,
  deps: { readonly index: Index; readonly clock: Clock },
): Promise<Authenticated> | null {
  if (raw.headers.authorization !== undefined) return null
  const socket = raw.message.socket as TLSSocket
  if (!socket.authorized || agentNameOf(socket.getPeerCertificate().subjectaltname)?.kind !== 'storage')
    return null
  return admit(raw, address, deps)
}

async function admit(
  raw: RawRequest,
  { bucket, key }: S3Address,
  { index, clock }: { readonly index: Index; readonly clock: Clock },
): Promise<Authenticated> {
  if (bucket !== snapshotBucket || !allowed.has(raw.method) || !isPlain(raw, key))
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

/** The bytes of an object, or a listing; not what else S3 has in queries and headers, such as who may read it. */
function isPlain({ method, rawQuery, headers }: RawRequest, key: string | undefined): boolean {
  if (Object.keys(headers).some((name) => name.startsWith('x-amz-') && !ownHeaders.has(name))) return false
  if (key !== undefined) return rawQuery === ''
  return method === 'GET' && parseForm(rawQuery).every(([name]) => listingQueries.has(name))
}

export async function ensureBucket(index: Index, clock: Clock): Promise<void> {
  if (await index.read((db) => findBucket(db, snapshotBucket))) return
  await index.transaction('action', async (tx) => {
    if (await findBucket(tx.db, snapshotBucket)) return
    await insertBucket(tx, {
      name: snapshotBucket,
      account_id: system.accountId,
      canonical_id: system.canonicalId,
      account_name: system.accountName,
      created_at: clock.now(),
      settings: JSON.stringify(settings),
    })
  })
}
