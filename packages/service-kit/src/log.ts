import { pino, type DestinationStream } from 'pino'
import type { Log } from '@mallee/base'

/**
 * Members that never reach a log, wherever they stand up to three levels deep. A secret that is passed under another
 * name is a fault; the list is the second fence, not the first.
 */
const secretMembers: ReadonlySet<string> = new Set([
  'secretAccessKey',
  'secret',
  'password',
  'token',
  'privateKey',
  'authorization',
  'userData',
  'chapSecret',
  'dataKey',
  'passphrase',
  'keyMaterial',
])
const deepest = 3
const censor = '[secret]'

export function createLog(options: { name: string; level?: string; destination?: DestinationStream }): Log {
  const settings = {
    name: options.name,
    level: options.level ?? 'info',
    base: { name: options.name, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { log: withoutSecrets },
    serializers: { err: (error: Error) => withoutSecrets({ err: pino.stdSerializers.err(error) })['err'] },
  }
  const log = pino(settings, options.destination ?? standardOutput())
  const { child } = log
  // Inherited by every child; pino's formatters do not see what children are given.
  log.child = function (this: typeof log, fields: Fields) {
    return child.call(this, withoutSecrets(fields))
  } as typeof child
  return log as unknown as Log
}

type Fields = Record<string, unknown>

/** Pino's own way costs ten times as much a line, and is told of paths: of ours there are three dozen. */
function withoutSecrets(fields: Fields): Fields {
  return censored(fields, '', 1)
}

/** The fields themselves where there is nothing to hide, which is almost always. */
function censored(fields: Fields, own: string, level: number): Fields {
  let copy: Fields | null = null
  for (const name in fields) {
    const value = fields[name]
    if (value === undefined || value === null) continue
    const hidden = secretMembers.has(name) || (own === 'key' && name === 'key')
    const shown = hidden ? censor : level < deepest ? within(value, name, level) : value
    if (shown !== value) (copy ??= { ...fields })[name] = shown
  }
  return copy ?? fields
}

function within(value: unknown, name: string, level: number): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Error || ArrayBuffer.isView(value))
    return value
  if (Array.isArray(value)) {
    const items = value.map((item) => within(item, name, level + 1))
    return items.some((item, index) => item !== value[index]) ? items : value
  }
  return censored(value as Fields, name, level + 1)
}

/** Of lines that a full disk does not take, in bytes: these are written when there is room, later ones are dropped. */
const heldLogBytes = 256 * 1024

/** A disk that is full must cost log lines and not the daemon. */
function standardOutput(): DestinationStream {
  const output = pino.destination({ dest: 1, sync: true, maxLength: heldLogBytes })
  output.on('error', () => {})
  return inOneWrite((lines) => output.write(lines))
}

/** Characters of lines that wait for the end of a turn. */
const mostTogether = 65_536

/** Lines of one turn of the event loop are written together, at its end or when the process ends. */
export function inOneWrite(write: (lines: string) => void): DestinationStream {
  let lines = ''
  const flush = () => {
    if (lines === '') return
    const whole = lines
    lines = ''
    write(whole)
  }
  process.once('exit', flush)
  return {
    write(line) {
      if (lines === '') setImmediate(flush)
      lines += line
      if (lines.length > mostTogether) flush()
    },
  }
}
