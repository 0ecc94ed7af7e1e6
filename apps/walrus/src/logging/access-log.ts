/**
 * Records of who asked a bucket for what, gathered and put into the target bucket as objects now and then.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
 */
import { errorMessage, type Clock, type Log, type Random } from '@mallee/base'
import { randomBytes } from 'node:crypto'
import type { Authenticated } from '../identity/authenticate.ts'
import { anonymous } from '../identity/caller.ts'
import { findBucket } from '../index/bucket-rows.ts'
import type { Bucket } from '../index/bucket-settings.ts'
import type { ObjectSource } from '../objects/open-object.ts'
import { accessLine } from './access-line.ts'
import { putLogObject } from './put-log-object.ts'

export interface AccessVisit {
  readonly raw: {
    readonly method: string
    readonly rawPath: string
    readonly rawQuery: string
    readonly headers: Readonly<Record<string, string | string[] | undefined>>
  }
  readonly requestId: string
  readonly operation: string
  readonly startedMs: number
  readonly bucket: Bucket | null
  readonly key: string | undefined
  readonly authenticated: Pick<Authenticated, 'caller' | 'signed'> | null
  readonly origin: { readonly ip: string; readonly secure: boolean }
}

/** Lines in memory at most; S3's logs are best effort, and so are ours: a flood loses lines and not the door. */
const mostGathered = 100_000
const linesPerObject = 20_000

export class AccessLog {
  private readonly source: ObjectSource
  private readonly clock: Clock
  private readonly random: Random
  private readonly log: Log
  private gathered: { bucket: string; line: string }[] = []

  constructor(options: { source: ObjectSource; clock: Clock; random: Random; log: Log }) {
    this.source = options.source
    this.clock = options.clock
    this.random = options.random
    this.log = options.log
  }

  note(visit: AccessVisit, outcome: { status: number; errorCode: string | null }): void {
    const { bucket } = visit
    if (!bucket?.set.logging || this.gathered.length >= mostGathered) return
    const caller = visit.authenticated?.caller ?? anonymous
    this.gathered.push({
      bucket: bucket.name,
      line: accessLine({ ...visit, bucket }, caller, outcome, this.clock.now()),
    })
  }

  /** Puts what was gathered where it belongs. */
  async deliver(): Promise<void> {
    const lines = this.gathered
    this.gathered = []
    const byBucket = Map.groupBy(lines, (line) => line.bucket)
    for (const [name, found] of byBucket) {
      for (let at = 0; at < found.length; at += linesPerObject)
        await this.put(
          name,
          found.slice(at, at + linesPerObject).map(({ line }) => line),
        ).catch((error: unknown) =>
          this.log.warn({ bucket: name, reason: errorMessage(error) }, 'an access log could not be written'),
        )
    }
  }

  private async put(name: string, lines: readonly string[]): Promise<void> {
    const source = await this.source.index.read((db) => findBucket(db, name))
    const target = source?.set.logging
    if (!source || !target) return
    const nowMs = this.clock.now()
    const stamp = new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[T:]/g, '-')
    // Where the target is gone, or another's by now, there is nobody to tell.
    await putLogObject(
      this.source,
      {
        bucket: target.TargetBucket,
        accountId: source.account_id,
        key: `${target.TargetPrefix}${stamp}-${randomBytes(8).toString('hex').toUpperCase()}`,
        contentType: 'text/plain',
        bytes: Buffer.from(lines.join('')),
      },
      { random: this.random, nowMs },
    )
  }
}
