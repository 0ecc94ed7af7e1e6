import { tracingSchema, type TracingConfig } from '@mallee/service-kit'

/** Settings of one cloud controller; unknown ones are refused at start. Times in the names' units, sizes in bytes. */
export interface CloudControllerConfig {
  readonly stateDir: string
  readonly database:
    | { readonly engine: 'sqlite'; readonly file: string }
    | { readonly engine: 'postgres'; readonly url: string }
  /** The public door's own listener: a socket that the front door forwards to, or a port. */
  readonly door: Listen | (Listen & { readonly tls: boolean })
  /** Where agents dial in, with mutual TLS. */
  readonly agents: { readonly host: string; readonly port: number }
  /** Health and metrics; no secrets, no changes. */
  readonly admin: { readonly host: string; readonly port: number }
  /** The administrator's API: a unix socket that only this user can open. */
  readonly adminSocket: string
  readonly region: string
  readonly availabilityZones: readonly string[]
  readonly publicPool: string
  readonly placementPolicy: 'round-robin' | 'pack' | 'spread'
  readonly endpoint: string
  /** Names and IPv4 addresses that the public door's certificate is for, besides this machine's loopback. */
  readonly publicNames?: readonly string[]
  /** Where that certificate and its key are written for the front door; `pki/door.pem` in stateDir if not said. */
  readonly doorTlsFile?: string
  readonly pollSeconds: number
  readonly terminatedVisibleMs: number
  readonly metadataTokensRequired: boolean
  /** Whether every account may sign by Signature Version 2, as tools of the Eucalyptus era do; no if not said. */
  readonly legacySignatures?: boolean
  /** Whether each account's calls are limited as docs/admin/operate.md says; `none` is for measuring. */
  readonly requestLimits?: 'documented' | 'none'
  /** Whether every call leaves a line in the audit before it is answered; `none` is for measuring. */
  readonly audit?: 'every-call' | 'none'
  /** Where OpenTelemetry traces go; nowhere where absent. */
  readonly tracing?: TracingConfig
  readonly logLevel: string
}

export type Listen = { readonly socket: string } | { readonly host: string; readonly port: number }

const text = { type: 'string', minLength: 1 }
const port = { type: 'integer', minimum: 0, maximum: 65_535 }
const tcp = {
  type: 'object',
  additionalProperties: false,
  required: ['host', 'port'],
  properties: { host: text, port },
}

export const cloudControllerSchema = {
  type: 'object',
  additionalProperties: false,
  required: [
    'stateDir',
    'database',
    'door',
    'agents',
    'admin',
    'adminSocket',
    'region',
    'availabilityZones',
    'publicPool',
    'endpoint',
  ],
  properties: {
    stateDir: text,
    database: {
      oneOf: [
        {
          type: 'object',
          additionalProperties: false,
          required: ['engine', 'file'],
          properties: { engine: { const: 'sqlite' }, file: text },
        },
        {
          type: 'object',
          additionalProperties: false,
          required: ['engine', 'url'],
          properties: { engine: { const: 'postgres' }, url: text },
        },
      ],
    },
    door: {
      oneOf: [
        { type: 'object', additionalProperties: false, required: ['socket'], properties: { socket: text } },
        { ...tcp, properties: { ...tcp.properties, tls: { type: 'boolean' } } },
      ],
    },
    agents: tcp,
    admin: tcp,
    adminSocket: text,
    region: { type: 'string', pattern: '^[a-z]{2}(-[a-z]+)+-[0-9]$' },
    availabilityZones: { type: 'array', minItems: 1, maxItems: 12, uniqueItems: true, items: text },
    publicPool: { type: 'string', pattern: '^[0-9.]+/[0-9]+$' },
    placementPolicy: { enum: ['round-robin', 'pack', 'spread'], default: 'round-robin' },
    endpoint: text,
    doorTlsFile: text,
    publicNames: {
      type: 'array',
      maxItems: 50,
      uniqueItems: true,
      items: { type: 'string', pattern: '^[A-Za-z0-9*.-]{1,253}$' },
      default: [],
    },
    pollSeconds: { type: 'integer', minimum: 1, maximum: 60, default: 3 },
    terminatedVisibleMs: { type: 'integer', minimum: 0, default: 3_600_000 },
    metadataTokensRequired: { type: 'boolean', default: true },
    legacySignatures: { type: 'boolean', default: false },
    requestLimits: { enum: ['documented', 'none'], default: 'documented' },
    audit: { enum: ['every-call', 'none'], default: 'every-call' },
    tracing: tracingSchema,
    logLevel: { enum: ['debug', 'info', 'warn', 'error'], default: 'info' },
  },
}
