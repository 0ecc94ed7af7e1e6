import type { Readable } from 'node:stream'
import type { Clock, Log, Random } from '@mallee/base'
import type { S3Input, S3Output, S3TypedAction } from '@mallee/s3-api'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import type { RequestBody } from '../http/request-body.ts'
import type { Caller } from '../identity/caller.ts'
import type { Index } from '../index/tables.ts'

/** What every action may use. */
export interface S3Context {
  readonly caller: Caller
  readonly index: Index
  readonly blobs: BlobKeeper
  readonly clock: Clock
  readonly random: Random
  readonly region: string
  readonly log: Log
  readonly body: RequestBody
}

export interface S3Answer<Output = object> {
  readonly output: Output
  /** Bytes that follow the headers; their length is in the output or in `headers`. */
  readonly stream?: Readable
  /** Where it is not the action's own. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

export interface S3Action {
  readonly name: string
  /** Members of the input that are acted upon, or that ask for what is so anyway; any other is refused by name. */
  readonly understands: ReadonlySet<string>
  readonly run: (context: S3Context, input: never) => Promise<S3Answer>
}

export function defineAction<Name extends S3TypedAction>(
  name: Name,
  understands: readonly (keyof S3Input<Name>)[],
  run: (context: S3Context, input: S3Input<Name>) => Promise<S3Answer<S3Output<Name>>>,
): S3Action {
  return { name, understands: new Set(understands as readonly string[]), run: run as S3Action['run'] }
}
