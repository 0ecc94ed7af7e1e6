/** Which bucket and key a request is about: by path, or by a host name under one of ours ("virtual-hosted"). */
import { s3Error } from './errors.ts'

export interface S3Address {
  bucket: string | undefined
  /** decoded; never empty */
  key: string | undefined
}

export interface AddressOptions {
  /** host names, without port, under which `bucket.host` names a bucket; lower case */
  baseHosts?: readonly string[]
  /** leading path parts that are not a bucket, as Eucalyptus' `/services/objectstorage` */
  pathPrefixes?: readonly string[]
}

/** The paths at which Eucalyptus served S3. */
export const eucalyptusPathPrefixes = ['/services/objectstorage', '/services/Walrus'] as const

/**
 * `rawPath` as on the request line, `host` as in the Host header. Slashes in keys stay as they are, doubled and leading ones too.
 * Throws InvalidURI for a bad escape, KeyTooLongError over 1,024 bytes.
 */
export function parseS3Address(
  host: string | undefined,
  rawPath: string,
  options: AddressOptions = {},
): S3Address {
  const virtual = bucketOfHost(host, options.baseHosts ?? [])
  // Where the host names the bucket, the path is the key, whatever it looks like.
  const prefixes = virtual === undefined ? (options.pathPrefixes ?? eucalyptusPathPrefixes) : []
  const path = withoutPrefix(rawPath, prefixes)
  const rest = path.startsWith('/') ? path.slice(1) : path
  if (virtual !== undefined) return { bucket: virtual, key: decodedKey(rest) }
  const slash = rest.indexOf('/')
  const bucket = decoded(slash < 0 ? rest : rest.slice(0, slash))
  const key = slash < 0 ? undefined : decodedKey(rest.slice(slash + 1))
  if (bucket === '' && key !== undefined) throw s3Error('InvalidURI')
  return { bucket: bucket === '' ? undefined : bucket, key }
}

function withoutPrefix(path: string, prefixes: readonly string[]): string {
  for (const prefix of prefixes) {
    if (path === prefix || path.startsWith(`${prefix}/`)) return path.slice(prefix.length)
  }
  return path
}

/** Labels under which a name is that of a bucket, whatever the domain: `b.s3.example.org`. */
const ofService = /^(?:s3|objectstorage|walrus|s3-website(?:-[a-z0-9-]+)?)$/

/** The bucket that a host name names; undefined where it names none. */
export function bucketOfHost(
  host: string | undefined,
  baseHosts: readonly string[] = [],
): string | undefined {
  const name = hostName(host)
  const base = baseHosts.find((candidate) => name.endsWith(`.${candidate}`))
  if (base !== undefined) return name.slice(0, -base.length - 1)
  const labels = name.split('.')
  const at = labels.findIndex((label, index) => index > 0 && ofService.test(label))
  return at < 0 ? undefined : labels.slice(0, at).join('.')
}

/** Whether the host is that of buckets as websites: `b.s3-website.example.org`, `b.s3-website-us-east-1.…`. */
export function isWebsiteHost(host: string | undefined): boolean {
  return hostName(host)
    .split('.')
    .some((label, index) => index > 0 && /^s3-website(?:-[a-z0-9-]+)?$/.test(label))
}

const hostName = (host: string | undefined): string => (host ?? '').replace(/:\d+$/, '').toLowerCase()

function decodedKey(text: string): string | undefined {
  const key = decoded(text)
  if (Buffer.byteLength(key) > 1024) throw s3Error('KeyTooLongError')
  return key === '' ? undefined : key
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw s3Error('InvalidURI')
  }
}
