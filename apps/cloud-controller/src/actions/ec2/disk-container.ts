import type { DiskImportItem } from '@mallee/agent-contract'
import { invalidParameterValue, missingParameter } from '@mallee/ec2-api'
import { parseS3Address } from '@mallee/s3-api'

/** A disk in a bucket, as ImportImage and ImportSnapshot name it. */
interface DiskContainer {
  readonly Format?: string | undefined
  readonly Url?: string | undefined
  readonly UserBucket?:
    | { readonly S3Bucket?: string | undefined; readonly S3Key?: string | undefined }
    | undefined
}

const formats = ['raw', 'qcow2', 'vmdk', 'vhd', 'vhdx', 'ova'] as const

/** Throws MissingParameter or InvalidParameterValue. `name`: of the request's member, for the words. */
export function diskFormat(given: string | undefined, name: string): DiskImportItem['format'] {
  if (given === undefined) throw missingParameter(name)
  const format = formats.find((one) => one === given.toLowerCase())
  if (format) return format
  throw invalidParameterValue(
    `Value (${given.slice(0, 40)}) for parameter ${name} is invalid. Valid values are ${formats.join(', ')}.`,
  )
}

/** Nothing is fetched from anywhere but walrus: a URL is `s3://BUCKET/KEY`. */
export function diskPlace(
  { Url: url, UserBucket: place }: DiskContainer,
  name: string,
): { bucket: string; key: string } {
  if (url !== undefined && place !== undefined)
    throw invalidParameterValue('Only one of Url and UserBucket may name the disk.')
  const [, urlBucket, urlKey] = /^s3:\/\/([^/]{1,255})\/(.{1,1024})$/s.exec(url ?? '') ?? []
  if (url !== undefined && urlBucket === undefined)
    throw invalidParameterValue(
      `Value (${url.slice(0, 100)}) for parameter ${name}.url is invalid. It must be s3://BUCKET/KEY.`,
    )
  const [bucket, key] = [urlBucket ?? place?.S3Bucket, urlKey ?? place?.S3Key]
  if (!bucket) throw missingParameter(`${name}.UserBucket.S3Bucket`)
  if (!key) throw missingParameter(`${name}.UserBucket.S3Key`)
  return { bucket, key }
}

/** Longer addresses are none that a client signs. */
const longestUrl = 8192

/**
 * Where walrus has the manifest of a disk in parts: whose URL it is, and what it is signed with, is of no account. `name`:
 * of the request's member, for the words.
 */
export function manifestPlace(text: string, name: string): { bucket: string; key: string } {
  const url = text.length <= longestUrl && URL.canParse(text) ? new URL(text) : null
  const address = url && /^https?:$/.test(url.protocol) ? parseS3Address(url.host, url.pathname) : null
  if (!address?.bucket || !address.key)
    throw invalidParameterValue(
      `Value for parameter ${name} is invalid. It must be the URL of an object in a bucket of this cloud.`,
    )
  return { bucket: address.bucket, key: address.key }
}
