import { healthListenSchema, type HealthListen } from '@mallee/service-kit'

/** Settings of one storage controller; unknown ones are refused at start. */
export interface StorageControllerConfig {
  /** Identity and ledger of the agent. */
  readonly dir: string
  readonly dataDir: string
  readonly cloudUrl: string
  readonly joinTokenFile: string
  readonly name: string
  /** Where a monitor may ask for figures; nowhere where absent. */
  readonly health?: HealthListen
  readonly logLevel: string
}

const text = { type: 'string', minLength: 1 }

export const storageControllerSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['dir', 'dataDir', 'cloudUrl', 'joinTokenFile', 'name'],
  properties: {
    dir: text,
    dataDir: text,
    cloudUrl: { type: 'string', pattern: '^https://' },
    joinTokenFile: text,
    name: text,
    health: healthListenSchema,
    logLevel: { enum: ['debug', 'info', 'warn', 'error'], default: 'info' },
  },
}
