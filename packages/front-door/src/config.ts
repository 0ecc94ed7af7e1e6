/** Settings of the front door. Read by hand: this floor has no schema compiler, and there are few members. */
export interface FrontDoorConfig {
  readonly listen: { readonly host: string; readonly port: number }
  readonly cloud: { readonly socketPath: string } | Service
  readonly walrus: Service
  /** PEM file with the key and chain shown to who wants TLS; read again when it changes. Without it, HTTP only. */
  readonly tlsFile?: string
  /** Where a monitor may ask for figures; nowhere where absent. */
  readonly health?: { readonly host: string; readonly port: number }
  readonly logLevel: string
}

/** A service over TCP; with `tls` its certificate must be of the authority whose chain ends our own file. */
export interface Service {
  readonly host: string
  readonly port: number
  readonly tls: boolean
}

const logLevels = ['debug', 'info', 'warn', 'error']

type Members = Readonly<Record<string, unknown>>

/** Throws an Error that says what is wrong; unknown members are refused. */
export function parseFrontDoorConfig(value: unknown): FrontDoorConfig {
  const top = members(value, 'the configuration', [
    'listen',
    'cloud',
    'walrus',
    'tlsFile',
    'health',
    'logLevel',
  ])
  const logLevel = top['logLevel'] ?? 'info'
  if (typeof logLevel !== 'string' || !logLevels.includes(logLevel))
    throw new Error(`logLevel must be one of ${logLevels.join(', ')}`)
  const cloud = members(top['cloud'], 'cloud', ['socketPath', 'host', 'port', 'tls'])
  const tlsFile = top['tlsFile'] === undefined ? undefined : text(top['tlsFile'], 'tlsFile')
  return {
    listen: hostAndPort(top['listen'], 'listen'),
    cloud:
      'socketPath' in cloud
        ? { socketPath: text(cloud['socketPath'], 'cloud.socketPath') }
        : service(cloud, 'cloud', tlsFile),
    walrus: service(top['walrus'], 'walrus', tlsFile),
    ...(tlsFile === undefined ? {} : { tlsFile }),
    ...(top['health'] === undefined ? {} : { health: hostAndPort(top['health'], 'health') }),
    logLevel,
  }
}

function hostAndPort(value: unknown, where: string): { host: string; port: number } {
  const found = members(value, where, ['host', 'port'])
  const { port } = found
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`${where}.port must be a port`)
  return { host: text(found['host'], `${where}.host`), port }
}

function service(value: unknown, where: string, tlsFile: string | undefined): Service {
  const { tls = false, ...address } = members(value, where, ['host', 'port', 'tls'])
  if (typeof tls !== 'boolean') throw new Error(`${where}.tls must be true or false`)
  if (tls && tlsFile === undefined) throw new Error(`${where}.tls needs tlsFile`)
  return { ...hostAndPort(address, where), tls }
}

function members(value: unknown, where: string, known: readonly string[]): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${where} must be an object`)
  const foreign = Object.keys(value).find((name) => !known.includes(name))
  if (foreign !== undefined) throw new Error(`${where} has an unknown member: ${foreign}`)
  return value as Members
}

function text(value: unknown, where: string): string {
  if (typeof value !== 'string' || value === '') throw new Error(`${where} must be a text`)
  return value
}
