import path from 'node:path'
import { errorMessage, type Log } from '@mallee/base'
import type { AgentLoop, Ledger } from '@mallee/agent-kit'
import { domainName, type HypervisorDriver } from './drivers/hypervisor/driver.ts'
import { within } from './within.ts'
import type { NcHooks } from './hooks/nc-hooks.ts'

const listMs = 3_000

/** Domains that ran through our own restart are taken up again; a hook may veto, and then the domain is left alone. */
export async function adoptDomains(deps: {
  ledger: Ledger
  hypervisor: HypervisorDriver
  hooks: NcHooks
  instancesDir: string
  log: Log
}): Promise<void> {
  // The start waits a moment for libvirtd and no longer: the cloud is to hear that it does not answer.
  const live = await within(listMs, 'libvirtd', deps.hypervisor.list()).catch(() => [])
  for (const domain of live) {
    const item = deps.ledger.list('domain').find((entry) => entry.body.instanceId === domain.name)
    if (!item) continue
    const dir = path.join(deps.instancesDir, item.body.accountId, item.body.instanceId)
    try {
      await deps.hooks.run('euca-nc-pre-adopt', dir, { instanceId: domain.name })
      deps.log.info({ instanceId: domain.name, state: domain.state }, 'adopted')
    } catch (error) {
      deps.log.warn(
        { instanceId: domain.name, reason: errorMessage(error) },
        'a hook spoke against the adoption',
      )
    }
  }
}

/** Domains named like ours that no item declares: said to the cloud, never touched (docs/rfd/0001). */
export async function lookForStrangers(
  hypervisor: HypervisorDriver,
  ledger: Ledger,
  loop: AgentLoop,
): Promise<void> {
  const live = await hypervisor.list().catch(() => null)
  if (!live) return
  const known = new Set(ledger.list('domain').map((item) => item.body.instanceId))
  const strangers = live
    .map((domain) => domain.name)
    .filter((name) => domainName.test(name) && !known.has(name))
  loop.observeUndeclared(strangers)
}
