/**
 * A domain from our stylesheet, started for real: libvirt and QEMU take the disks, the interface on its
 * bridge, the screen and the serial log as the stylesheet writes them, and the reader finds in the live
 * domain what went in.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startIsolatedLibvirtd, whyNoIsolatedLibvirtd } from '@mallee/testkit'
import type { IsolatedLibvirtd } from '@mallee/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildNicXml } from './instance-xml.ts'
import { instanceXmlPath, writeInstanceXml } from './instance-xml-file.ts'
import { readDomain } from './read-domain.ts'
import { exampleInstance } from './sample-instances.ts'
import { defaultStylesheetPath } from './shipped-files.ts'
import { transformDevice, transformDomain } from './transform-domain.ts'
import { writeFileAtomically } from './write-file-atomically.ts'

const reason = whyNoIsolatedLibvirtd()
if (reason !== null)
  process.stderr.write(`SKIPPED: starting a domain from the stylesheet, because ${reason}\n`)

describe.skipIf(reason !== null)('a domain from the stylesheet', () => {
  let dir: string
  let daemon: IsolatedLibvirtd
  const virsh = async (...args: string[]) =>
    (await daemon.exec('virsh', ['-c', 'qemu:///system', ...args])).stdout

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dx-'))
    daemon = await startIsolatedLibvirtd({ dir: join(dir, 'lv') })
    await daemon.exec('ip', ['link', 'add', 'br-test', 'mtu', '1450', 'type', 'bridge'])
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', join(dir, 'link-to-sda'), '8M'])
    execFileSync('qemu-img', ['create', '-q', '-f', 'raw', join(dir, 'link-to-sdb'), '8M'])
  })
  afterAll(async () => {
    await daemon?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  it('runs, and reads back as it was meant', async () => {
    const { kernel: _kernel, ramdisk: _ramdisk, ...instance } = exampleInstance(dir)
    await writeInstanceXml(dir, instance)
    const outputPath = join(dir, 'instance-libvirt.xml')
    const stylesheetPath = defaultStylesheetPath
    const transformsDir = join(dir, 'transforms.d')
    await transformDomain({
      instanceXmlPath: instanceXmlPath(dir),
      stylesheetPath,
      transformsDir,
      outputPath,
      timeoutMs: 10_000,
    })
    await virsh('create', '--validate', '--paused', outputPath)
    const live = readDomain(await virsh('dumpxml', instance.name))
    expect(live).toMatchObject({
      type: 'qemu',
      name: instance.name,
      // As guests expect it of EC2.
      uuid: 'ec212222-3333-4444-8555-666677778888',
      memoryKib: instance.memoryKB,
      vcpus: 2,
      serialLogPath: join(dir, 'console.log'),
      disks: [
        {
          target: 'vda',
          bus: 'virtio',
          driverType: 'qcow2',
          cache: 'none',
          source: join(dir, 'link-to-sda'),
        },
        { target: 'vdb', bus: 'virtio', driverType: 'raw', cache: 'writeback', alias: 'virtio-disk1' },
      ],
      interfaces: [{ mac: 'd0:0d:00:00:00:01', tap: 'vn_test', bridge: 'br-test', mtu: 1450, alias: 'net0' }],
    })
    expect(live.machine).toMatch(/^pc-i440fx/)
    expect(existsSync(join(dir, 'console.log'))).toBe(true)
    const { stdout } = await daemon.exec('ip', ['link', 'show', 'vn_test'])
    expect(stdout).toContain('mtu 1450')
    expect(stdout).toContain('master br-test')

    const [nic] = instance.nics
    const second = { ...nic!, mac: 'd0:0d:00:00:00:02', guestDeviceName: 'vn_two', device: 1 }
    const options = { stylesheetPath, transformsDir, timeoutMs: 10_000 }
    const { xml } = await transformDevice({ kind: 'interface', inputXml: buildNicXml(second), ...options })
    const nicPath = join(dir, 'nic-libvirt.xml')
    await writeFileAtomically(nicPath, xml)
    await virsh('attach-device', instance.name, nicPath, '--live')
    expect(readDomain(await virsh('dumpxml', instance.name)).interfaces.map(({ tap }) => tap)).toEqual([
      'vn_test',
      'vn_two',
    ])
    await virsh('destroy', instance.name)
  })
})
