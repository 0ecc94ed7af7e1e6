import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { DomainItem } from '@mallee/agent-contract'
import type { GuestPreparer } from './guest-preparer.ts'

/** Prepares domains of the simulated hypervisor: a folder stands for the disk, a name for the XML. */
export function simulatedPreparer(instancesDir: string): GuestPreparer {
  const dirOf = (item: DomainItem) => path.join(instancesDir, item.instanceId)
  return {
    async prepare(item) {
      await mkdir(dirOf(item), { recursive: true })
      await writeFile(path.join(dirOf(item), 'disk'), '')
      return `<domain><name>${item.instanceId}</name></domain>`
    },
    hasDisk: (item) =>
      stat(path.join(dirOf(item), 'disk')).then(
        () => true,
        () => false,
      ),
    remove: (item) => rm(dirOf(item), { recursive: true, force: true }),
    readConsole: () => Promise.resolve(Buffer.alloc(0)),
  }
}
