import { readFileSync } from 'node:fs'
import { pino } from 'pino'
import type { Log } from '@mallee/base'
import { parseFrontDoorConfig } from './config.ts'
import { Metrics, startHealthServer } from '@mallee/service-kit'
import { frontDoorFigures } from './front-door-figures.ts'
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

const metrics = new Metrics().ofProcess()
const door = createFrontDoor(config, { log, figures: frontDoorFigures(metrics) })
const address = await door.listen(config.listen)
const health = config.health
  ? await startHealthServer({
      listen: config.health,
      metrics,
      ready: () => Promise.resolve({ door: null }), // it listens, or this would not be reached
      log,
    })
  : null
log.info({ address }, 'ready')
if (process.send) process.send({ ready: true, address })

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    log.info({}, 'stopping')
    void health?.close()
    void door.close().then(() => process.exit(0))
  })
}
