import { MalleeError } from '@mallee/base'
import { healthListenSchema, parseConfig, readConfig, type HealthListen } from '@mallee/service-kit'

/** Settings of the front door; unknown ones are refused at start. */
export interface FrontDoorConfig {
  readonly listen: { readonly host: string; readonly port: number }
  readonly cloud: { readonly socketPath: string } | Service
  readonly walrus: Service
  /** PEM file with the key and chain shown to who wants TLS; read again when it changes. Without it, HTTP only. */
  readonly tlsFile?: string
  /** Where a monitor may ask for figures; nowhere where absent. */
  readonly health?: HealthListen
  readonly logLevel: string
}

/** A service over TCP; with `tls` its certificate must be of the authority whose chain ends our own file. */
export interface Service {
  readonly host: string
  readonly port: number
  readonly tls: boolean
}

const text = { type: 'string', minLength: 1 }
const hostAndPort = healthListenSchema
const service = {
  ...hostAndPort,
  properties: { ...hostAndPort.properties, tls: { type: 'boolean', default: false } },
}
const socket = {
  type: 'object',
  additionalProperties: false,
  required: ['socketPath'],
  properties: { socketPath: text },
}

const frontDoorSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['listen', 'cloud', 'walrus'],
  properties: {
    listen: hostAndPort,
    // Not oneOf: defaults are not filled in inside of that.
    cloud: {
      type: 'object',
      if: { required: ['socketPath'], properties: { socketPath: {} } },
      // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
      then: socket,
      else: service,
    },
    walrus: service,
    tlsFile: text,
    health: healthListenSchema,
    logLevel: { enum: ['debug', 'info', 'warn', 'error'], default: 'info' },
  },
}

/** Throws `BadConfiguration` that says what is wrong; fills in defaults. */
export function parseFrontDoorConfig(value: unknown): FrontDoorConfig {
  return withTlsFile(parseConfig<FrontDoorConfig>(frontDoorSchema, value, 'the front door'))
}

/** The same, from a JSON file. */
export function readFrontDoorConfig(file: string): FrontDoorConfig {
  return withTlsFile(readConfig<FrontDoorConfig>(frontDoorSchema, file))
}

function withTlsFile(config: FrontDoorConfig): FrontDoorConfig {
  const { cloud, walrus, tlsFile } = config
  const secure = walrus.tls ? 'walrus' : 'tls' in cloud && cloud.tls ? 'cloud' : null
  if (secure !== null && tlsFile === undefined)
    throw new MalleeError({ code: 'BadConfiguration', publicMessage: `${secure}.tls needs tlsFile` })
  return config
}
