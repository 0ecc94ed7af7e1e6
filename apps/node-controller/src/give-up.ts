import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { errorMessage, systemClock, writeAtomically, type Log } from '@mallee/base'
import type { HypervisorDriver } from './drivers/hypervisor/driver.ts'
import type { NetworkDriver } from './drivers/network/driver.ts'

const firstRetryMs = 500
const longestRetryMs = 15_000

/**
 * The cloud has answered that the administrator declared this machine dead: its instances are terminated there and their
 * addresses are free for others. So this side ends what it still runs and takes its network down, and tries until both
 * are done; disks stay where they are, for a human to look at. Only that one answer, over the cloud's own certificate,
 * leads here: a silent, a restored or a foreign cloud never does. A later start goes on with it.
 */
export async function giveUp(deps: {
  dir: string
  hypervisor: HypervisorDriver
  network: NetworkDriver
  log: Log
  signal: AbortSignal
}): Promise<void> {
  const { log, signal } = deps
  let retryMs = firstRetryMs
  while (!signal.aborted) {
    // Neither waits for the other: a disk that guests have filled keeps none of them from being ended.
    const outcomes = await Promise.allSettled([
      writeAtomically(markerOf(deps.dir), `${new Date().toISOString()}\n`),
      endEverything(deps),
    ])
    const reasons = outcomes.flatMap((one) => (one.status === 'rejected' ? [errorMessage(one.reason)] : []))
    if (reasons.length === 0) {
      log.error(
        {},
        'this machine was forgotten by the cloud and does nothing more; destroy its state and join anew to use it again',
      )
      return
    }
    log.error({ reason: reasons.join('; ') }, 'could not yet give up what runs here')
    await systemClock.sleep(retryMs, signal)
    retryMs = Math.min(retryMs * 2, longestRetryMs)
  }
}

async function endEverything(deps: {
  hypervisor: HypervisorDriver
  network: NetworkDriver
  log: Log
}): Promise<void> {
  const { hypervisor, log, network } = deps
  for (const domain of (await hypervisor.inventory()).domains) {
    if (domain.state === 'shutoff') continue
    await hypervisor.destroy(domain.name)
    log.warn({ instanceId: domain.name }, 'ended, because this machine was forgotten')
  }
  await network.apply([])
  // Nobody takes the records of its last minute, and what counted them is to go too.
  await network.collectFlows(() => Promise.resolve())
}

/** Whether the machine was forgotten in an earlier life. */
export async function wasForgotten(dir: string): Promise<boolean> {
  return readFile(markerOf(dir), 'utf8').then(
    () => true,
    () => false,
  )
}

const markerOf = (dir: string) => path.join(dir, 'forgotten')
