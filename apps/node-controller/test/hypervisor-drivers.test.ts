import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'vitest'
import { silentLog } from '@mallee/base'
import { describeHypervisorDriver, startIsolatedLibvirtd, whyNoIsolatedLibvirtd } from '@mallee/testkit'
import { LibvirtDriver } from '../src/drivers/hypervisor/libvirt/driver.ts'
import { openSimulatedHypervisor } from '../src/drivers/hypervisor/simulated/driver.ts'

describeHypervisorDriver('simulated', async () => {
  const dir = await mkdtemp('/tmp/mlsim-')
  const open = () => openSimulatedHypervisor({ dir, vcpus: 4, memoryMiB: 4096 })
  const driver = await open()
  return {
    driver,
    domainXml: (name) => `<domain><name>${name}</name><devices></devices></domain>`,
    diskFile: (name, sizeBytes) => diskFile(dir, name, sizeBytes),
    crash: (name) => driver.inject(name, 'crash'),
    reopen: open,
    close: () => rm(dir, { recursive: true }),
  }
})

const missing = whyNoIsolatedLibvirtd()
if (missing) {
  console.warn(`SKIPPED: the hypervisor contract on libvirt, because ${missing}`)
  test.skip(`libvirt: ${missing}`, () => {})
} else {
  describeHypervisorDriver('libvirt', async () => {
    const dir = await mkdtemp('/tmp/mlvirt-')
    const libvirtd = await startIsolatedLibvirtd({ dir })
    const open = () =>
      new LibvirtDriver({
        socket: libvirtd.socketPath,
        logDir: path.join(dir, 'log/qemu'),
        instancesDir: path.join(dir, 'instances'),
        vcpus: 4,
        memoryMiB: 4096,
        log: silentLog,
      })
    const driver = open()
    return {
      driver,
      domainXml: (name) => domainXml(name, path.join(dir, 'instances', name)),
      diskFile: (name, sizeBytes) => diskFile(dir, name, sizeBytes),
      startForeign: async (name) => {
        await libvirtd.exec('virsh', ['create', await xmlFile(dir, domainXml(name, '/elsewhere'))])
      },
      crash: async (name) => {
        await libvirtd.exec('pkill', ['-KILL', '-f', `guest=${name},`])
      },
      reopen: async () => open(),
      async close() {
        await driver.close()
        await libvirtd.stop()
        await rm(dir, { recursive: true, force: true })
      },
    }
  })
}

async function diskFile(dir: string, name: string, sizeBytes: number): Promise<string> {
  const file = path.join(dir, name)
  await writeFile(file, Buffer.alloc(sizeBytes))
  return file
}

async function xmlFile(dir: string, xml: string): Promise<string> {
  const file = path.join(dir, 'foreign.xml')
  await writeFile(file, xml)
  return file
}

function domainXml(name: string, folder: string): string {
  return `<domain type='qemu'><name>${name}</name><description>${folder}</description><memory unit='MiB'>32</memory><vcpu>1</vcpu>
    <os><type arch='x86_64'>hvm</type></os><features><acpi/></features><on_poweroff>destroy</on_poweroff><on_crash>destroy</on_crash>
    <devices><emulator>/usr/bin/qemu-system-x86_64</emulator><video><model type='vga'/></video></devices></domain>`
}
