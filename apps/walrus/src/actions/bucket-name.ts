import { s3Error } from '@mallee/s3-api'

/** First parts of paths at the front door that are not buckets. */
const reserved: ReadonlySet<string> = new Set([
  'services',
  'latest',
  'agent',
  'healthz',
  'readyz',
  'mallee-ebs',
])
const reservedPrefixes = ['xn--', 'sthree-', 'amzn-s3-demo-']
const reservedSuffixes = ['-s3alias', '--ols-s3', '.mrap', '--x-s3', '--table-s3']

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html. Throws InvalidBucketName. */
export function checkBucketName(name: string): void {
  const fine =
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) &&
    !name.includes('..') &&
    !/^\d+\.\d+\.\d+\.\d+$/.test(name) &&
    !reserved.has(name) &&
    !reservedPrefixes.some((prefix) => name.startsWith(prefix)) &&
    !reservedSuffixes.some((suffix) => name.endsWith(suffix))
  if (!fine) throw s3Error('InvalidBucketName', { details: { BucketName: name } })
}
