import { lstat, rm, rmdir } from 'node:fs/promises'
import path from 'node:path'
import { errorMessage } from '@mallee/base'
import type { InventoryEntry, InventoryRemoval, VpcItem } from '@mallee/agent-contract'
import type { InventorySource, Ledger } from '@mallee/agent-kit'
import type { HypervisorDriver } from '../drivers/hypervisor/driver.ts'
import type { NetworkDriver } from '../drivers/network/driver.ts'
import type { ImageCache } from '../images/image-cache.ts'
import { fatal } from '../node-error.ts'
import { folderOfInstance, lookIntoFolders, type NodeFolders } from './node-folders.ts'

interface Dependencies {
  readonly hypervisor: HypervisorDriver
  readonly network: NetworkDriver
  readonly ledger: Ledger
  readonly cache: ImageCache
  readonly folders: NodeFolders
}

/**
 * What really is on this node, beside what its set declares. It removes what the cloud names, after a look of its own:
 * never what the set declares, never what is in use, and never what is not ours.
 */
export function nodeInventory(deps: Dependencies): InventorySource {
  return {
    async take() {
      const parts = [domains(deps), network(deps), files(deps)]
      const results = await Promise.allSettled(parts)
      return {
        entries: results.flatMap((result) => (result.status === 'fulfilled' ? result.value : [])),
        problems: results.flatMap((result) =>
          result.status === 'rejected' ? [errorMessage(result.reason)] : [],
        ),
      }
    },
    remove: (removal) => remove(deps, removal),
  }
}

const vpcs = (deps: Dependencies): VpcItem[] => deps.ledger.list('vpc').map((item) => item.body)
const declaredInstances = (deps: Dependencies) =>
  new Set(deps.ledger.list('domain').map((item) => item.body.instanceId))

async function domains(deps: Dependencies): Promise<InventoryEntry[]> {
  const declared = declaredInstances(deps)
  const found = await deps.hypervisor.inventory()
  const owner = (name: string) => (declared.has(name) ? name : null)
  const unknown = { changedAtMs: null }
  return [
    ...found.domains.map(({ name, state }) => ({
      kind: 'domain' as const,
      id: name,
      owner: owner(name),
      state,
      ...unknown,
    })),
    ...found.processes.map(({ name, pid }) => ({
      kind: 'process' as const,
      id: `${name} pid ${pid}`,
      owner: owner(name),
      state: 'running',
      ...unknown,
    })),
  ]
}

async function network(deps: Dependencies): Promise<InventoryEntry[]> {
  const parts = await deps.network.inventory(vpcs(deps))
  return parts.map((part) => ({ ...part, state: null, changedAtMs: null }))
}

function files(deps: Dependencies): Promise<InventoryEntry[]> {
  const artifacts = deps.ledger
    .list('domain')
    .flatMap(({ body }) => [body.machine, body.kernel, body.ramdisk])
    .filter((artifact) => artifact !== null)
  return lookIntoFolders(deps.folders, {
    instanceIds: declaredInstances(deps),
    imageFiles: new Set(artifacts.map((artifact) => path.basename(deps.cache.pathOf(artifact)))),
  })
}

async function remove(deps: Dependencies, { kind, id }: InventoryRemoval): Promise<void> {
  switch (kind) {
    case 'domain':
      return removeDomain(deps, id)
    case 'instance-files':
      return removeFiles(deps, id)
    case 'temporary-file':
      return removeTemporary(deps, id)
    case 'tap':
    case 'bridge':
    case 'router':
    case 'dhcp':
    case 'firewall-port':
      return deps.network.removeStray({ kind, id }, vpcs(deps))
    default:
      throw fatal('NotRemovable', `A node removes no ${kind}.`)
  }
}

async function removeDomain(deps: Dependencies, name: string): Promise<void> {
  if (declaredInstances(deps).has(name)) throw fatal('Declared', `The set of this node declares ${name}.`)
  const { domains: ours } = await deps.hypervisor.inventory()
  if (!ours.some((domain) => domain.name === name)) return // gone, or not ours
  await deps.hypervisor.destroy(name)
  await deps.hypervisor.undefine(name)
}

async function removeFiles(deps: Dependencies, id: string): Promise<void> {
  const dir = folderOfInstance(deps.folders, id)
  if (dir === null) throw fatal('NotOurs', `${id} is no folder of an instance.`)
  const name = path.basename(dir)
  if (declaredInstances(deps).has(name)) throw fatal('Declared', `The set of this node declares ${name}.`)
  const { domains: ours, processes } = await deps.hypervisor.inventory()
  if ([...ours, ...processes].some((entry) => entry.name === name))
    throw fatal('InUse', `There is a domain or a process of ${name}.`)
  await rm(dir, { recursive: true, force: true })
  // Other instances of the account may live there.
  if (path.dirname(dir) !== deps.folders.instances) await rmdir(path.dirname(dir)).catch(() => {})
}

/** Only what a look of this moment shows; paths are taken from that look and not from the asker. */
async function removeTemporary(deps: Dependencies, id: string): Promise<void> {
  const found = (await files(deps)).find((entry) => entry.kind === 'temporary-file' && entry.id === id)
  if (!found) return
  const [folder, ...rest] = id.split('/')
  const file = path.join(deps.folders[folder as keyof NodeFolders], ...rest)
  const info = await lstat(file).catch(() => null)
  if (info && !info.isDirectory()) await rm(file, { force: true })
}
