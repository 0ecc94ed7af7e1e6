import { errorMessage } from '@mallee/base'
import type { HypervisorDriver } from '../drivers/hypervisor/driver.ts'
import type { NcHooks } from './nc-hooks.ts'

/** Eucalyptus asks its hooks before every use of the hypervisor; ours are asked before every start, and say why not. */
export function checkedHypervisor(
  hypervisor: HypervisorDriver,
  hooks: NcHooks,
  veto: (sentence: string | null) => void,
): HypervisorDriver {
  return {
    fingerprint: () => hypervisor.fingerprint(),
    list: () => hypervisor.list(),
    shutdown: (name) => hypervisor.shutdown(name),
    reboot: (name) => hypervisor.reboot(name),
    reset: (name) => hypervisor.reset(name),
    destroy: (name) => hypervisor.destroy(name),
    undefine: (name) => hypervisor.undefine(name),
    ended: (name) => hypervisor.ended(name),
    inventory: () => hypervisor.inventory(),
    screenshot: (name) => hypervisor.screenshot(name),
    counters: () => hypervisor.counters(),
    disks: (name) => hypervisor.disks(name),
    attachDisk: (name, xml) => hypervisor.attachDisk(name, xml),
    detachDisk: (name, target) => hypervisor.detachDisk(name, target),
    resizeDisk: (name, target, sizeBytes) => hypervisor.resizeDisk(name, target, sizeBytes),
    interfaces: (name) => hypervisor.interfaces(name),
    attachInterface: (name, xml) => hypervisor.attachInterface(name, xml),
    detachInterface: (name, mac) => hypervisor.detachInterface(name, mac),
    setSecret: (name, value) => hypervisor.setSecret(name, value),
    listSecrets: () => hypervisor.listSecrets(),
    dropSecret: (name) => hypervisor.dropSecret(name),
    onHint: (callback) => hypervisor.onHint(callback),
    close: () => hypervisor.close(),
    async start(xml) {
      try {
        await hooks.run('euca-nc-pre-hyp-check')
        veto(null)
      } catch (error) {
        veto(errorMessage(error))
        throw error
      }
      await hypervisor.start(xml)
    },
  }
}
