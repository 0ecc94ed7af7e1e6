/** The names of S3's operations, and the types of their inputs and outputs. */
import type { Operations } from '../models/s3-types.ts'
import { s3Model } from './s3-model.ts'

/** Operations that have generated types. */
export type S3TypedAction = keyof Operations
/** Object bytes (`Body`) are never in it: they are streamed past the codec. */
export type S3Input<Name extends S3TypedAction> = Omit<Operations[Name]['input'], 'Body'>
export type S3Output<Name extends S3TypedAction> = Operations[Name]['output']

export type S3ActionTable<Context> = {
  [Name in S3TypedAction]: (context: Context, input: S3Input<Name>) => Promise<S3Output<Name>>
}

/** Every operation of AWS's model, implemented here or not. */
export const s3ActionNames = (): ReadonlySet<string> => new Set(Object.keys(s3Model().operations))
