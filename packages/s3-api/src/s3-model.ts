/** S3's model. The file is read on first use, not on import. */
import { readFileSync } from 'node:fs'
import type { ServiceModel } from '@mallee/aws-protocol'

let loaded: ServiceModel | undefined

/** The model of S3 2006-03-01, all operations. */
export function s3Model(): ServiceModel {
  loaded ??= JSON.parse(readFileSync(new URL('../models/s3.json', import.meta.url), 'utf8')) as ServiceModel
  return loaded
}

/** Enums that a cloud of its own adds values to, or whose values the actions judge themselves. */
export const s3OpenEnums: ReadonlySet<string> = new Set([
  'BucketLocationConstraint',
  'BucketCannedACL',
  'ObjectCannedACL',
])
