import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { DomainItem, GuestInterface } from '@mallee/agent-contract'
import type { NetworkPort } from '../drivers/network/driver.ts'
import type { VolumeDisks } from '../volumes/volume-disks.ts'
import type { GuestPreparer } from './guest-preparer.ts'

/** Prepares domains of the simulated hypervisor: a folder stands for the disk, a name for the XML. */
export function simulatedPreparer(
  instancesDir: string,
  volumeDisks: Pick<VolumeDisks, 'make'>,
): GuestPreparer {
  const dirOf = (item: DomainItem) => path.join(instancesDir, item.instanceId)
  return {
    async prepare(item, ports) {
      await mkdir(dirOf(item), { recursive: true })
      const content = item.instanceId.padEnd(512, '\0')
      await writeFile(path.join(dirOf(item), 'disk'), content, { flag: 'wx' }).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error // it is the disk of an earlier incarnation
      })
      const disks: string[] = []
      for (const volume of item.volumes ?? []) disks.push(await volumeDisks.make(item, volume))
      const interfaces = item.interfaces.map((entry, index) => interfaceXml(entry, ports[index]!))
      return `<domain><name>${item.instanceId}</name>${[...disks, ...interfaces].join('')}</domain>`
    },
    interfaceXml: (_item, entry, port) => Promise.resolve(interfaceXml(entry, port)),
    disk: async (item) => ({ file: path.join(dirOf(item), 'disk'), format: 'raw' }),
    hasDisk: (item) =>
      stat(path.join(dirOf(item), 'disk')).then(
        () => true,
        () => false,
      ),
    remove: (item) => rm(dirOf(item), { recursive: true, force: true }),
    readConsole: () => Promise.resolve(Buffer.alloc(0)),
  }
}

const interfaceXml = (entry: GuestInterface, port: NetworkPort) =>
  `<interface type="bridge"><mac address="${entry.mac}"/><target dev="${port.tap}"/></interface>`
