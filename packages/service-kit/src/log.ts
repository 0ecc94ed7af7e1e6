import { pino, type DestinationStream } from 'pino'
import type { Log } from '@mallee/base'

/**
 * Members that never reach a log, wherever they stand up to three levels deep. A secret that is passed under another
 * name is a fault; the list is the second fence, not the first.
 */
const secretMembers = [
  'secretAccessKey',
  'secret',
  'password',
  'token',
  'privateKey',
  'key.key',
  'authorization',
  'userData',
  'chapSecret',
  'keyMaterial',
]

export function createLog(options: { name: string; level?: string; destination?: DestinationStream }): Log {
  const paths = secretMembers.flatMap((member) => [member, `*.${member}`, `*.*.${member}`])
  const settings = {
    name: options.name,
    level: options.level ?? 'info',
    base: { name: options.name, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: [...paths, '*.headers.authorization', 'headers.authorization'], censor: '[secret]' },
  }
  return (options.destination ? pino(settings, options.destination) : pino(settings)) as unknown as Log
}
