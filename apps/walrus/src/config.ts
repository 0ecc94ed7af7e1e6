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
}

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
    logLevel: { enum: ['debug', 'info', 'warn', 'error'], default: 'info' },
  },
}
