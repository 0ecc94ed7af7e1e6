import { systemClock, type Log } from '@mallee/base'
import { keepCertificate } from '@mallee/agent-kit'
import { startHealthServer, type HealthListen, type Service } from '@mallee/service-kit'
import { adoptDomains } from './adopt-domains.ts'
import type { NodeControllerConfig } from './config.ts'
import { startMetadataServer } from './metadata/metadata-server.ts'
import { keepRoleCredentials, RoleCredentialsKeeper } from './metadata/role-credentials.ts'
import { hypervisorDrivers } from './drivers/hypervisor/drivers.ts'
import { networkDrivers } from './drivers/network/drivers.ts'
import { giveUp, wasForgotten } from './give-up.ts'
import { nodeReadiness } from './metrics/node-figures.ts'
import { NodeLoops } from './node-loops.ts'
import { openNodeParts, type NodeParts } from './node-parts.ts'

export { nodeControllerSchema, type NodeControllerConfig } from './config.ts'

export { nodeFigures, registerNodeGauges } from './metrics/node-figures.ts'
export { planDomain, type DomainNote, type DomainStep } from './planner/plan-domain.ts'
export { NetworkKeeper } from './network-keeper.ts'
export { startMetadataServer, type MetadataServer } from './metadata/metadata-server.ts'
export { openLinuxNetwork } from './drivers/network/linux/driver.ts'
export { forbiddenFlows } from './drivers/network/linux/flows.ts'
export type { Flow } from './drivers/network/linux/parse.ts'
export { noNumbers } from './drivers/network/linux/numbers.ts'
export { renderNetwork, type RenderedNetwork } from './drivers/network/linux/rendered.ts'

/** Runs the node controller: one agent, its drivers, and the loops that bring them to what the cloud wants. */
export async function startNodeController(
  config: NodeControllerConfig,
  deps: { log: Log },
): Promise<Service> {
  if (await wasForgotten(config.dir)) return stayForgotten(config, deps.log)
  const parts = await openNodeParts(config, deps.log)
  const loops = await NodeLoops.open(parts)
  await loops.restoreNetwork()
  const roleCredentials = new RoleCredentialsKeeper({ ...parts, clock: systemClock })
  const metadata = config.network.driver === 'simulated' ? null : await serveMetadata(parts, roleCredentials)
  await adoptDomains({ ...parts, instancesDir: config.instancesDir })
  await parts.hooks.run('euca-nc-post-init')
  const stopping = new AbortController()
  const { identity, client, log } = parts
  void keepCertificate({
    identity,
    client,
    dir: config.dir,
    log,
    signal: stopping.signal,
  })
  loops.start()
  const renewing = keepRoleCredentials(roleCredentials, parts.log, stopping.signal)
  const health = config.health ? await serveHealth(config.health, parts, loops) : null
  return {
    address: null,
    async close() {
      stopping.abort()
      await loops.stop()
      await renewing
      await metadata?.close()
      await health?.close()
      await parts.close()
    },
  }
}

/** A machine that the administrator declared dead starts nothing again, and ends what an earlier life did not get to. */
async function stayForgotten(config: NodeControllerConfig, log: Log): Promise<Service> {
  const hypervisor = await hypervisorDrivers[config.hypervisor.driver](config, log)
  const network = await networkDrivers[config.network.driver](config, log)
  const stopping = new AbortController()
  const alive = setInterval(() => {}, 2 ** 30)
  const done = giveUp({ dir: config.dir, hypervisor, network, log, signal: stopping.signal })
  return {
    address: null,
    async close() {
      clearInterval(alive)
      stopping.abort()
      await done
      await Promise.all([hypervisor.close(), network.close()])
    },
  }
}

function serveHealth(listen: HealthListen, parts: NodeParts, loops: NodeLoops) {
  const { figures, hypervisor, log } = parts
  return startHealthServer({
    listen,
    metrics: figures.metrics,
    ready: () => nodeReadiness({ hypervisor, problems: () => loops.problems() }),
    log,
  })
}

/** The metadata service answers from the ledger: it goes on while the cloud controller is away. */
function serveMetadata(parts: NodeParts, roleCredentials: RoleCredentialsKeeper) {
  const { ledger, log, network } = parts
  return startMetadataServer({
    ...network.metadataAddress,
    askerAt: (address) => network.askerAt(address),
    itemOf: (interfaceId) =>
      ledger
        .list('domain')
        .find((item) => item.body.interfaces.some((entry) => entry.interfaceId === interfaceId))?.body ??
      null,
    credentialsOf: (item) => roleCredentials.of(item),
    log,
  })
}
