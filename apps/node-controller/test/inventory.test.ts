import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentLog } from '@mallee/base'
import { Ledger, type InventorySource } from '@mallee/agent-kit'
import {
  makeTestNetwork,
  startIsolatedLibvirtd,
  testPublicPool,
  whyNoIsolatedLibvirtd,
  whyNoTestNetwork,
  worldItems,
  type IsolatedLibvirtd,
  type TestNetwork,
} from '@mallee/testkit'
import { LibvirtDriver } from '../src/drivers/hypervisor/libvirt/driver.ts'
import type { NetworkDriver } from '../src/drivers/network/driver.ts'
import { openLinuxNetwork } from '../src/drivers/network/linux/driver.ts'
import { ImageCache } from '../src/images/image-cache.ts'
import { nodeInventory } from '../src/inventory/node-inventory.ts'

const missing = whyNoIsolatedLibvirtd() ?? whyNoTestNetwork()
if (missing) console.warn(`SKIPPED: the inventory of a real node, because ${missing}`)
const orphan = 'i-0000000000000000b'

describe.skipIf(missing)('orphans planted on a real node', () => {
  let dir: string
  let network: TestNetwork
  let libvirtd: IsolatedLibvirtd
  let hypervisor: LibvirtDriver
  let driver: NetworkDriver
  let inventory: InventorySource
  const folder = (name: string) => path.join(dir, name)

  beforeAll(async () => {
    dir = await mkdtemp('/tmp/mlinv-')
    network = await makeTestNetwork()
    await mkdir(folder('virt'))
    libvirtd = await startIsolatedLibvirtd({ dir: folder('virt'), netns: network.node })
    const folders = { instances: folder('instances'), images: folder('images'), agent: folder('agent') }
    for (const name of Object.values(folders)) await mkdir(name)
    hypervisor = new LibvirtDriver({
      socket: libvirtd.socketPath,
      logDir: folder('virt/log/qemu'),
      instancesDir: folders.instances,
      vcpus: 4,
      memoryMiB: 4096,
      log: silentLog,
    })
    driver = await openLinuxNetwork({
      uplink: 'uplink',
      runDir: folder('net'),
      publicPool: testPublicPool,
      log: silentLog,
      netns: network.node,
    })
    const ledger = await Ledger.open({ dir: folder('agent/ledger'), privateKey: 'a key', log: silentLog })
    const cache = new ImageCache({
      dir: folders.images,
      fetch: () => Promise.reject(new Error()),
      log: silentLog,
    })
    inventory = nodeInventory({ hypervisor, network: driver, ledger, cache, folders })
  }, 120_000)

  afterAll(async () => {
    await hypervisor?.close()
    await libvirtd?.stop()
    await driver?.removeAll()
    await driver?.close()
    await network?.remove()
    await rm(dir, { recursive: true, force: true })
  }, 60_000)

  test('a domain, its overlay, a tap and a bridge are listed and go; what is not ours stays', async () => {
    const [vpc] = worldItems()
    await driver.apply([vpc!])
    const bridge = driver.port(vpc!, vpc!.interfaces[0]!.interfaceId).bridge
    const inNode = (...words: string[]) => execFileSync('ip', ['-n', network.node, ...words])
    inNode('tuntap', 'add', 'dev', 'vn0123456789ab', 'mode', 'tap')
    inNode('link', 'set', 'dev', 'vn0123456789ab', 'master', bridge)
    inNode('tuntap', 'add', 'dev', 'vnet0', 'mode', 'tap')
    inNode('link', 'add', 'theirs', 'type', 'bridge')
    const disk = folder(`instances/0001/${orphan}/root.qcow2`)
    await mkdir(path.dirname(disk), { recursive: true })
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', disk, '16M'])
    await hypervisor.start(domainXml(orphan, disk))
    const theirs = folder('theirs.qcow2')
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', theirs, '16M'])
    await writeFile(folder('theirs.xml'), domainXml('i-0000f0f0', theirs))
    await libvirtd.exec('virsh', ['create', folder('theirs.xml')])

    const { entries, problems } = await inventory.take()
    expect(problems).toEqual([])
    const strays = entries.filter((entry) => entry.owner === null)
    const named = strays.map((entry) => `${entry.kind} ${entry.id.replace(/ pid .*/, '')}`)
    expect(named).toEqual(
      expect.arrayContaining([
        `domain ${orphan}`,
        `process ${orphan}`,
        `instance-files 0001/${orphan}`,
        'tap vn0123456789ab',
        `bridge ${bridge}`,
      ]),
    )
    expect(named.filter((entry) => /f0f0|theirs|vnet0/.test(entry))).toEqual([])

    await expect(inventory.remove({ kind: 'instance-files', id: `0001/${orphan}` })).rejects.toThrow('domain')
    for (const kind of [
      'domain',
      'instance-files',
      'tap',
      'bridge',
      'router',
      'dhcp',
      'firewall-port',
    ] as const)
      for (const entry of strays.filter((stray) => stray.kind === kind)) await inventory.remove(entry)
    expect((await inventory.take()).entries).toEqual([])
    expect((await hypervisor.list()).map((domain) => domain.name)).toEqual(['i-0000f0f0'])
    const links = inNode('-brief', 'link', 'show').toString()
    expect(links).toMatch(/vnet0/)
    expect(links).toMatch(/theirs/)
    expect(links).not.toMatch(/vn0123456789ab/)
    await hypervisor.destroy('i-0000f0f0')
  }, 60_000)
})

function domainXml(name: string, disk: string): string {
  return `<domain type='qemu'><name>${name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
    <os><type arch='x86_64'>hvm</type></os><on_poweroff>destroy</on_poweroff>
    <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
      <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${disk}'/>
        <target dev='vda' bus='virtio'/></disk></devices></domain>`
}
