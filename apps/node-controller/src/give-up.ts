import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { errorMessage, writeAtomically, type Log } from '@mallee/base'
import type { Ledger } from '@mallee/agent-kit'
import type { HypervisorDriver } from './drivers/hypervisor/driver.ts'
import type { NetworkDriver } from './drivers/network/driver.ts'

/**
 * The cloud has answered that the administrator declared this machine dead: its instances are terminated there and their
 * addresses are free for others. So this side ends what it still runs and takes its network down; disks stay where they
 * are, for a human to look at. Only that one answer, over the cloud's own certificate, leads here: a silent, a restored
 * or a foreign cloud never does.
 */
export async function giveUp(deps: {
  dir: string
  ledger: Ledger
  hypervisor: HypervisorDriver
  network: NetworkDriver
  log: Log
}): Promise<void> {
  const { hypervisor, ledger, log, network } = deps
  await writeAtomically(markerOf(deps.dir), `${new Date().toISOString()}\n`)
  const ours = new Set(ledger.list('domain').map((item) => item.body.instanceId))
  const live = await hypervisor.list()
  for (const domain of live.filter((entry) => ours.has(entry.name))) {
    try {
      await hypervisor.destroy(domain.name)
      log.warn({ instanceId: domain.name }, 'ended, because this machine was forgotten')
    } catch (error) {
      log.error({ instanceId: domain.name, reason: errorMessage(error) }, 'could not be ended')
    }
  }
  await network.apply([])
  log.error(
    {},
    'this machine was forgotten by the cloud and does nothing more; destroy its state and join anew to use it again',
  )
}

/** Whether the machine was forgotten in an earlier life. */
export async function wasForgotten(dir: string): Promise<boolean> {
  return readFile(markerOf(dir), 'utf8').then(
    () => true,
    () => false,
  )
}

const markerOf = (dir: string) => path.join(dir, 'forgotten')
