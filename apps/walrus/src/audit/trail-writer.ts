import { errorMessage, secondMs, systemRandom, type Clock, type Log } from '@mallee/base'
import type { TrailFile, TrailFilesRequest } from '@mallee/agent-contract'
import type { Cloud } from '@mallee/agent-kit'
import { putLogObject } from '../logging/put-log-object.ts'
import type { ObjectSource } from '../objects/open-object.ts'
import { RepeatedPass } from './repeated-pass.ts'

const everyMs = 15 * secondMs

/** CloudTrail's word for a bucket that is not there or is another's. */
const noAccess = 'AccessDenied'

/** Asks the cloud which files of trails are to be written, and writes them as their account's. */
export class TrailWriter {
  private readonly options: ObjectSource & {
    readonly cloud: Cloud
    readonly clock: Clock
    readonly log: Log
  }
  private readonly passes: RepeatedPass

  constructor(options: TrailWriter['options']) {
    this.options = options
    const pass = (signal: AbortSignal) => this.run(signal)
    this.passes = new RepeatedPass({ everyMs, pass, waits: 'trails wait', log: options.log })
  }

  start(): void {
    this.passes.start()
  }

  stop(): Promise<void> {
    return this.passes.stop()
  }

  /** What was written and could not be said is offered, and written under the same name, again. */
  private async run(signal: AbortSignal): Promise<void> {
    const { cloud } = this.options
    let done: TrailFilesRequest['done'] = []
    while (cloud.trailFiles && !signal.aborted) {
      const { files } = await cloud.trailFiles({ done })
      if (files.length === 0) return
      done = await Promise.all(files.map((file) => this.write(file)))
    }
  }

  private async write(file: TrailFile): Promise<TrailFilesRequest['done'][number]> {
    const { id, bucket, accountId, key } = file
    const object = { bucket, accountId, key, contentType: 'application/json' }
    const bytes = Buffer.from(file.content, 'base64')
    const options = { random: systemRandom, nowMs: this.options.clock.now() }
    try {
      const kept = await putLogObject(this.options, { ...object, bytes }, options)
      return { id, error: kept ? null : noAccess }
    } catch (error) {
      this.options.log.warn({ bucket, reason: errorMessage(error) }, 'a file of a trail could not be written')
      return { id, error: 'InternalError' }
    }
  }
}
