/** Settings of the front door. Read by hand: this floor has no schema compiler, and there are eight members. */
export interface FrontDoorConfig {
  readonly listen: { readonly host: string; readonly port: number }
  readonly cloud: { readonly socketPath: string }
  readonly walrus: { readonly host: string; readonly port: number }
  readonly logLevel: string
}

const logLevels = ['debug', 'info', 'warn', 'error']

type Members = Readonly<Record<string, unknown>>

/** Throws an Error that says what is wrong; unknown members are refused. */
export function parseFrontDoorConfig(value: unknown): FrontDoorConfig {
  const top = members(value, 'the configuration', ['listen', 'cloud', 'walrus', 'logLevel'])
  const logLevel = top['logLevel'] ?? 'info'
  if (typeof logLevel !== 'string' || !logLevels.includes(logLevel))
    throw new Error(`logLevel must be one of ${logLevels.join(', ')}`)
  const cloud = members(top['cloud'], 'cloud', ['socketPath'])
  return {
    listen: hostAndPort(top['listen'], 'listen'),
    cloud: { socketPath: text(cloud['socketPath'], 'cloud.socketPath') },
    walrus: hostAndPort(top['walrus'], 'walrus'),
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
