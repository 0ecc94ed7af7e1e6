import { readFileSync } from 'node:fs'
import { pino } from 'pino'
import type { Log } from '@mallee/base'
import { parseFrontDoorConfig } from './config.ts'
import { createFrontDoor } from './front-door.ts'

const file = process.argv[2]
if (file === undefined) {
  process.stderr.write('usage: main.ts CONFIG.json\n')
  process.exit(2)
}
const config = parseFrontDoorConfig(JSON.parse(readFileSync(file, 'utf8')))
const log = pino({
  name: 'front-door',
  level: config.logLevel,
  timestamp: pino.stdTimeFunctions.isoTime,
}) as unknown as Log

const fail = (error: unknown) => {
  log.error({ err: error }, 'ended by an error that nobody caught')
  process.exit(1)
}
process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)

const door = createFrontDoor(config, { log })
const address = await door.listen(config.listen)
log.info({ address }, 'ready')
if (process.send) process.send({ ready: true, address })

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    log.info({}, 'stopping')
    void door.close().then(() => process.exit(0))
  })
}
