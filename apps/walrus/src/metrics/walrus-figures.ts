import type { Metrics, Readiness } from '@mallee/service-kit'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import type { AccessKeys } from '../identity/access-keys.ts'
import { damageCount, scrubPosition } from '../index/scrub-rows.ts'
import { wholeUsage, type Usage } from '../index/usage-rows.ts'
import type { Index } from '../index/tables.ts'

/** What walrus counts while it works. */
export interface WalrusFigures {
  readonly metrics: Metrics
  /** `operation` is the router's name of it, or `unknown`; `code` one of S3's. */
  request(request: { operation: string; code: string; seconds: number }): void
  /** At the door of the EBS direct APIs. */
  ebsRequest(request: { operation: string; code: string; seconds: number }): void
  written(bytes: number): void
  read(bytes: number): void
  scrubbed(bytes: number): void
}

export function walrusFigures(metrics: Metrics): WalrusFigures {
  const requests = metrics.histogram(
    's3_request_duration_seconds',
    'Requests at the S3 door, until their answer began.',
    ['operation', 'code'],
  )
  const ofBlocks = metrics.histogram(
    'ebs_request_duration_seconds',
    'Requests at the door of the EBS direct APIs, until their answer began.',
    ['operation', 'code'],
  )
  const written = metrics.counter('s3_bytes_received_total', 'Bytes of objects and parts that were stored.')
  const read = metrics.counter('s3_bytes_sent_total', 'Bytes of objects that were read for somebody.')
  const scrubbed = metrics.counter('s3_scrub_bytes_total', 'Bytes that were read again to find damage.')
  return {
    metrics,
    request: observer(requests),
    ebsRequest: observer(ofBlocks),
    written: (bytes) => written.inc(bytes),
    read: (bytes) => read.inc(bytes),
    scrubbed: (bytes) => scrubbed.inc(bytes),
  }
}

interface Request {
  readonly operation: string
  readonly code: string
  readonly seconds: number
}

type Durations = ReturnType<typeof Metrics.prototype.histogram<'operation' | 'code'>>

/** Which series a request belongs to is looked for once: both labels take few values. */
function observer(durations: Durations): (request: Request) => void {
  const known = new Map<string, Map<string, ReturnType<Durations['labels']>>>()
  return ({ operation: name, code, seconds }) => {
    const operation = name === '' ? 'unknown' : name
    let byCode = known.get(operation)
    if (!byCode) known.set(operation, (byCode = new Map()))
    let series = byCode.get(code)
    if (!series) byCode.set(code, (series = durations.labels({ operation, code })))
    series.observe(seconds)
  }
}

/** A worker's, which tell besides how requests are spread over the workers. */
export function workerFigures(metrics: Metrics, number: number): WalrusFigures {
  const figures = walrusFigures(metrics)
  const served = metrics.counter('s3_worker_requests_total', 'Requests that each worker answered.', [
    'worker',
  ])
  const request: WalrusFigures['request'] = (about) => {
    served.inc({ worker: String(number) })
    figures.request(about)
  }
  return { ...figures, request }
}

/** By bucket they would be series that clients make: `usage-main.ts` tells them so. */
const usageGauges = [
  ['s3_objects', 'Objects in all buckets.', 'objects'],
  ['s3_object_bytes', 'Bytes of the objects in all buckets, as clients see them.', 'bytes'],
  ['s3_past_versions', 'Versions that are not what their key holds now.', 'versions'],
  ['s3_past_version_bytes', 'Bytes of such versions.', 'version_bytes'],
  ['s3_delete_markers', 'Delete markers in all buckets.', 'markers'],
  ['s3_incomplete_uploads', 'Uploads of parts that were begun and not ended.', 'uploads'],
  ['s3_incomplete_upload_bytes', 'Bytes of the parts of such uploads.', 'part_bytes'],
] as const satisfies readonly (readonly [string, string, keyof Usage])[]

/** Figures that are looked up when a monitor asks. */
export function registerWalrusGauges(metrics: Metrics, sources: { index: Index; blobs: BlobKeeper }): void {
  const { index, blobs } = sources
  const stored = () =>
    index.read((db) =>
      db
        .selectFrom('blob')
        .select((eb) => eb.fn.sum<number | null>('size').as('bytes'))
        .executeTakeFirstOrThrow(),
    )
  for (const [name, help, of] of usageGauges)
    metrics.gauge(name, help, [], async (gauge) => gauge.set((await index.read(wholeUsage))[of]))
  metrics.gauge('s3_stored_bytes', 'Bytes that objects and parts take.', [], async (gauge) =>
    gauge.set(Number((await stored()).bytes ?? 0)),
  )
  metrics.gauge('s3_scrub_damaged_blobs', 'Bytes of objects that were found damaged.', [], async (gauge) =>
    gauge.set((await index.read(damageCount)).count),
  )
  metrics.gauge(
    's3_scrub_round_timestamp_seconds',
    'When every byte had last been read again, since the epoch; 0 for never.',
    [],
    async (gauge) => gauge.set(((await index.read(scrubPosition))?.ended_at ?? 0) / 1000),
  )
  metrics.gauge('s3_free_bytes', 'Bytes that are free where objects lie.', [], async (gauge) =>
    gauge.set((await blobs.space()).freeBytes),
  )
}

/** Walrus is ready when it knows whom to believe and its index answers. */
export async function walrusReadiness(sources: { index: Index; keys: AccessKeys }): Promise<Readiness> {
  const index = await sources.index
    .read((db) => db.selectFrom('bucket').select('name').limit(1).execute())
    .then(
      () => null,
      () => 'the index does not answer',
    )
  return { index, keys: sources.keys.known ? null : 'no access keys came from the cloud yet' }
}
