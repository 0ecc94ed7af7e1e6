import { createLog, Metrics, runService, startHealthServer, type Service } from '@mallee/service-kit'
import { readFrontDoorConfig } from './config.ts'
import { frontDoorFigures } from './front-door-figures.ts'
import { createFrontDoor } from './front-door.ts'

const file = process.argv[2]
if (file === undefined) {
  process.stderr.write('usage: main.ts CONFIG.json\n')
  process.exit(2)
}
const config = readFrontDoorConfig(file)
const log = createLog({ name: 'front-door', level: config.logLevel })

async function start(): Promise<Service> {
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
  return {
    address,
    async close() {
      await health?.close()
      await door.close()
    },
  }
}

await runService({ log, start })
