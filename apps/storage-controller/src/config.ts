/** Settings of one storage controller; unknown ones are refused at start. */
export interface StorageControllerConfig {
  /** Identity and ledger of the agent. */
  readonly dir: string
  readonly dataDir: string
  readonly cloudUrl: string
  readonly joinTokenFile: string
  readonly name: string
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
    logLevel: { enum: ['debug', 'info', 'warn', 'error'], default: 'info' },
  },
}
