import { availableParallelism } from 'node:os'
import { storeSchema, type S3StoreConfig } from './drivers/open-driver.ts'
import { healthListenSchema, type HealthListen } from '@mallee/service-kit'

/** Settings of one walrus; unknown ones are refused at start. */
export interface WalrusConfig {
  /** The agent's own folder: its identity and its ledger. */
  readonly dir: string
  /** Index and bytes of all objects, on one file system. */
  readonly dataDir: string
  /** The cloud controller's door for agents, `https://host:port`. */
  readonly cloudUrl: string
  /** Appears once, when an administrator has bought a token; removed after it was used. */
  readonly joinTokenFile: string
  readonly name: string
  /** Plain HTTP and TLS on one port. */
  readonly listen: { readonly host: string; readonly port: number }
  readonly region: string
  /** Where a monitor may ask for figures; nowhere where absent. */
  readonly health?: HealthListen
  readonly logLevel: string
  /** New buckets have ACLs disabled and public access blocked, as AWS's have since 2023; else they honour ACLs. */
  readonly modernBuckets?: boolean
  /** Where events may be sent: a bucket's owner names one of these by the last part of an ARN. */
  readonly webhooks?: Readonly<Record<string, { readonly url: string }>>
  /** How often lifecycle rules are followed. */
  readonly lifecycleSeconds?: number
  /** Where bytes are kept, if not in `dataDir`. */
  readonly store?: S3StoreConfig
  /** Objects up to this size lie in the index and have no file of their own. */
  readonly smallObjectBytes?: number
  /** How fast all bytes are read again to find damage; 0 turns it off. */
  readonly scrubBytesPerSecond?: number
  /** Whether the cloud's audit hears of reads and writes of objects too, and not of what is about buckets alone. */
  readonly auditDataEvents?: boolean
  /** Processes that serve S3; `auto`: one for each processor. With 1, which is the default, this very process does. */
  readonly workers?: number | 'auto'
}

export const workerCount = ({ workers = 1 }: WalrusConfig): number =>
  workers === 'auto' ? availableParallelism() : workers

const text = { type: 'string', minLength: 1 }

export const walrusSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['dir', 'dataDir', 'cloudUrl', 'joinTokenFile', 'name', 'listen', 'region'],
  properties: {
    dir: text,
    dataDir: text,
    cloudUrl: { type: 'string', pattern: '^https://' },
    joinTokenFile: text,
    name: text,
    listen: {
      type: 'object',
      additionalProperties: false,
      required: ['host', 'port'],
      properties: { host: text, port: { type: 'integer', minimum: 0, maximum: 65_535 } },
    },
    region: { type: 'string', pattern: '^[a-z]{2}(-[a-z]+)+-[0-9]$' },
    health: healthListenSchema,
    modernBuckets: { type: 'boolean' },
    webhooks: {
      type: 'object',
      propertyNames: { pattern: '^[A-Za-z0-9_-]{1,80}$' },
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        required: ['url'],
        properties: { url: { type: 'string', pattern: '^https?://' } },
      },
    },
    lifecycleSeconds: { type: 'integer', minimum: 1 },
    store: storeSchema,
    smallObjectBytes: { type: 'integer', minimum: 0, maximum: 1_048_576 },
    scrubBytesPerSecond: { type: 'integer', minimum: 0 },
    auditDataEvents: { type: 'boolean' },
    workers: { anyOf: [{ type: 'integer', minimum: 1, maximum: 64 }, { const: 'auto' }] },
    logLevel: { enum: ['debug', 'info', 'warn', 'error'], default: 'info' },
  },
}
