import {
  startCloudController,
  cloudControllerSchema,
  type CloudControllerConfig,
} from '@mallee/cloud-controller'
import { createFrontDoor, readFrontDoorConfig } from '@mallee/front-door'
import { nodeControllerSchema, startNodeController, type NodeControllerConfig } from '@mallee/node-controller'
import { createLog, readConfig, runService, type Service } from '@mallee/service-kit'
import {
  startStorageController,
  storageControllerSchema,
  type StorageControllerConfig,
} from '@mallee/storage-controller'
import { startWalrus, walrusSchema, type WalrusConfig } from '@mallee/walrus'
import { requireMachine } from './host/machine.ts'

/**
 * Every daemon of ours in one process, for clouds that live as long as a test run: `one-process-main.ts STATE-DIR`. It is
 * the same code with the same configuration, sockets and certificates; they only share a process. It runs inside the
 * node's namespace, so its doors are at the node's address. libvirtd stays by itself, and guests outlive us as always.
 */
const machine = requireMachine(process.argv[2] ?? '')
const file = (name: string) => machine.file('config', `${name}.json`)
const logOf = (name: string, level: string) => createLog({ name, level })

async function start(): Promise<Service> {
  const services: Service[] = []
  const run = async (service: Promise<Service>) => services.push(await service)
  const cloud = readConfig<CloudControllerConfig>(cloudControllerSchema, file('cloud-controller'))
  await run(startCloudController(cloud, { log: logOf('cloud-controller', cloud.logLevel) }))
  const door = readFrontDoorConfig(file('front-door'))
  const frontDoor = createFrontDoor(door, { log: logOf('front-door', door.logLevel) })
  const address = await frontDoor.listen(door.listen)
  const walrus = readConfig<WalrusConfig>(walrusSchema, file('walrus'))
  await run(startWalrus(walrus, { log: logOf('walrus', walrus.logLevel) }))
  // These wait for their join tokens, which come once the cloud answers: they start beside one another.
  const storage = readConfig<StorageControllerConfig>(storageControllerSchema, file('storage-controller'))
  const node = readConfig<NodeControllerConfig>(nodeControllerSchema, file('node-controller'))
  await Promise.all([
    run(startStorageController(storage, { log: logOf('storage-controller', storage.logLevel) })),
    run(startNodeController(node, { log: logOf('node-controller', node.logLevel) })),
  ])
  return {
    address,
    /** Clients first, then the agents, the cloud last: the order in which the daemons stop, too. */
    async close() {
      await frontDoor.close()
      for (const service of services.toReversed()) await service.close()
    },
  }
}

await runService({ log: logOf('mallee', 'info'), start })
