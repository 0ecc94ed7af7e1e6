import type { Clock, Log, Random } from '@mallee/base'
import type { S3Input, S3Output, S3TypedAction } from '@mallee/s3-api'
import type { Gate } from '../access/gate.ts'
import type { KnownAccounts } from '../access/grants.ts'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import type { MasterKeys } from '../encryption/master-keys.ts'
import type { ObjectStream } from '../http/send-blocks.ts'
import type { BodyBytes } from '../http/request-body.ts'
import type { Caller } from '../identity/caller.ts'
import type { Bucket } from '../index/bucket-settings.ts'
import type { Index } from '../index/tables.ts'

/** What every action may use. */
export interface S3Context {
  readonly caller: Caller
  readonly accounts: KnownAccounts
  /** Asks what else the caller may do, beyond what the door asked for the action itself. */
  readonly gate: Gate
  readonly index: Index
  readonly blobs: BlobKeeper
  readonly masterKeys: MasterKeys
  readonly clock: Clock
  readonly random: Random
  readonly region: string
  readonly log: Log
  readonly requestId: string
  readonly sourceIp: string
  /** Names of the webhooks that events may go to. */
  readonly webhooks: ReadonlySet<string>
  readonly wakeEvents: () => void
  readonly body: BodyBytes
  /** New buckets have ACLs disabled and public access blocked, as AWS's have since 2023. */
  readonly modernBuckets: boolean
}

/** What the actions on a bucket and what is in it may use besides. */
export interface BucketContext extends S3Context {
  /** As it was when the caller was let in; a transaction asks `sameBucket`. */
  readonly bucket: Bucket
}

export interface S3Answer<Output = object> {
  readonly output: Output
  /** Bytes that follow the headers; their length is in the output or in `headers`. */
  readonly stream?: ObjectStream
  /** The same, where they are few and at hand. */
  readonly bytes?: Buffer
  /** A body that is not in the model. */
  readonly text?: string
  /** Where it is not the action's own. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

export interface S3Action {
  readonly name: string
  /** Whether it is about a bucket that must be there. */
  readonly onBucket: boolean
  /** Members of the input that are acted upon, or that ask for what is so anyway; any other is refused by name. */
  readonly understands: ReadonlySet<string>
  readonly run: (context: never, input: never) => Promise<S3Answer>
}

/** An action that is about no bucket, or about one that is not there yet. */
export function defineAction<Name extends S3TypedAction>(
  name: Name,
  understands: readonly (keyof S3Input<Name>)[],
  run: (context: S3Context, input: S3Input<Name>) => Promise<S3Answer<S3Output<Name>>>,
): S3Action {
  return {
    name,
    onBucket: false,
    understands: new Set(understands as readonly string[]),
    run: run as S3Action['run'],
  }
}

/** An action on a bucket or something in it. The door has found the bucket, its owner as expected, and let the caller in. */
export function defineBucketAction<Name extends S3TypedAction>(
  name: Name,
  understands: readonly (keyof S3Input<Name>)[],
  run: (context: BucketContext, input: S3Input<Name>) => Promise<S3Answer<S3Output<Name>>>,
): S3Action {
  const all = [...(understands as readonly string[]), 'Bucket', 'ExpectedBucketOwner', 'RequestPayer']
  return { name, onBucket: true, understands: new Set(all), run: run as S3Action['run'] }
}
