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
  'dataKey',
  'passphrase',
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
  return pino(settings, options.destination ?? standardOutput()) as unknown as Log
}

/** Of lines that a full disk does not take, in bytes: these are written when there is room, later ones are dropped. */
const heldLogBytes = 256 * 1024

/** A disk that is full must cost log lines and not the daemon. */
function standardOutput(): DestinationStream {
  const output = pino.destination({ dest: 1, sync: true, maxLength: heldLogBytes })
  output.on('error', () => {})
  return output
}
