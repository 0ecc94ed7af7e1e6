import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { MalleeError, writeAtomically, type Clock } from '@mallee/base'
import type { BlobDriver } from './blob-driver.ts'
import { PosixBlobs } from './posix/posix-blobs.ts'
import { S3Blobs } from './s3/s3-blobs.ts'

/** Bytes in a bucket of another S3. */
export interface S3StoreConfig {
  readonly kind: 's3'
  readonly endpoint: string
  readonly bucket: string
  /** Before the names of all that is ours there; one for each walrus. */
  readonly prefix?: string
  readonly region?: string
  readonly accessKeyId: string
  /** A file with the secret key and nothing else. */
  readonly secretFile: string
  /** PEM of the authority that its certificate is of. */
  readonly caFile?: string
}

export const storeSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['kind', 'endpoint', 'bucket', 'accessKeyId', 'secretFile'],
  properties: {
    kind: { const: 's3' },
    endpoint: { type: 'string', pattern: '^https?://' },
    bucket: { type: 'string', minLength: 1 },
    prefix: { type: 'string', pattern: '^[A-Za-z0-9._/-]*$' },
    region: { type: 'string', minLength: 1 },
    accessKeyId: { type: 'string', minLength: 1 },
    secretFile: { type: 'string', minLength: 1 },
    caFile: { type: 'string', minLength: 1 },
  },
}

interface StoreMark {
  readonly kind: 'posix' | 's3'
  /** This walrus' mark in a store that others may use too. */
  readonly owner: string
}

/**
 * The driver that the settings name. A walrus stays with the one that it began with: its index speaks of those bytes.
 * Throws MalleeError `StoreChanged`, `StoreInUse`, `StoreUnavailable`.
 */
export async function openDriver(
  dataDir: string,
  store: S3StoreConfig | undefined,
  clock: Clock,
): Promise<BlobDriver> {
  const kind = store?.kind ?? 'posix'
  const mark = await markOf(dataDir, kind)
  if (mark.kind !== kind)
    throw new MalleeError({
      code: 'StoreChanged',
      publicMessage: `The bytes of this walrus are kept by the driver ${mark.kind}; they do not move to ${kind} by themselves.`,
    })
  if (!store) return PosixBlobs.open(dataDir)
  return S3Blobs.open({ ...(await reach(store)), owner: mark.owner, clock })
}

/** What another process of this walrus has opened, for one of its workers. */
export async function joinDriver(
  dataDir: string,
  store: S3StoreConfig | undefined,
  options: { tag: string; clock: Clock },
): Promise<BlobDriver> {
  return store ? S3Blobs.join({ ...(await reach(store)), ...options }) : PosixBlobs.join(dataDir, options.tag)
}

async function reach(store: S3StoreConfig) {
  return {
    settings: {
      endpoint: store.endpoint,
      bucket: store.bucket,
      region: store.region ?? 'us-east-1',
      accessKeyId: store.accessKeyId,
      secretAccessKey: (await readFile(store.secretFile, 'utf8')).trim(),
      ...(store.caFile === undefined ? {} : { ca: await readFile(store.caFile, 'utf8') }),
    },
    prefix: store.prefix ?? 'mallee',
  }
}

async function markOf(dataDir: string, kind: StoreMark['kind']): Promise<StoreMark> {
  const file = path.join(dataDir, 'store.json')
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text !== null) return JSON.parse(text) as StoreMark
  // A folder of before had no mark, and its bytes beside its index.
  const before = await readFile(path.join(dataDir, 'blobs', '00')).catch(
    (error: NodeJS.ErrnoException) => error.code,
  )
  const mark: StoreMark = {
    kind: before === 'EISDIR' ? 'posix' : kind,
    owner: randomBytes(16).toString('hex'),
  }
  await writeAtomically(file, `${JSON.stringify(mark)}\n`, 0o600)
  return mark
}
