/**
 * The client against the real thing: a libvirtd in namespaces of its own, its pretended hypervisor
 * (`test:///default`) for lifecycle and errors, and a QEMU guest without a disk for what only QEMU does.
 */
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startIsolatedLibvirtd, whyNoIsolatedLibvirtd } from '@mallee/testkit'
import type { IsolatedLibvirtd } from '@mallee/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { connectLibvirt } from './connection.ts'
import type { LibvirtConnection } from './connection.ts'
import type { DomainEventKind } from './events.ts'
import { versionText } from './host-calls.ts'

const reason = whyNoIsolatedLibvirtd()
if (reason !== null) process.stderr.write(`SKIPPED: the libvirt contract test, because ${reason}\n`)

// A machine with much else to do is slow, not wrong.
const eventually = (check: () => void) => vi.waitFor(check, { timeout: 20_000 })

const guest = (name: string) => `
<domain type='qemu'>
  <name>${name}</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type><bios useserial='yes'/></os>
  <features><acpi/></features>
  <devices>
    <serial type='pty'/><console type='pty'/>
    <video><model type='vga'/></video><graphics type='vnc' port='-1'/>
  </devices>
</domain>`

const record = async (connection: LibvirtConnection, kinds: DomainEventKind[]) => {
  const seen: string[] = []
  for (const kind of kinds) {
    await connection.onDomainEvent(kind, (event) => {
      const rest = Object.values(event).filter((value) => typeof value === 'string')
      seen.push([event.domain.name, kind, ...rest].join(' '))
    })
  }
  return seen
}

const codeOf = (call: Promise<unknown>) => call.then(() => 'done').catch((error) => error.codeName)

describe.skipIf(reason !== null)('a real libvirtd', () => {
  let dir: string
  let daemon: IsolatedLibvirtd
  const open: LibvirtConnection[] = []

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'lv-'))
    daemon = await startIsolatedLibvirtd({ dir })
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((connection) => connection.close()))
  })
  afterAll(async () => {
    await daemon?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  const connect = async (uri: string) => {
    const connection = await connectLibvirt({ socketPath: daemon.socketPath, uri, timeoutMs: 40_000 })
    open.push(connection)
    return connection
  }
  it('is the version that virsh says, and describes its host', async () => {
    const connection = await connect('test:///default')
    const version = versionText(await connection.getLibVersion())
    const { stdout } = await daemon.exec('virsh', ['-c', 'test:///default', 'version', '--daemon'])
    expect(stdout).toContain(`Running against daemon: ${version}`)
    expect(await connection.getType()).toBe('TEST')
    expect(await connection.getUri()).toBe('test:///default')
    expect(await connection.getHostname()).not.toBe('')
    expect(await connection.getCapabilities()).toContain('<capabilities>')
    expect(await connection.nodeGetInfo()).toMatchObject({ model: 'i686', memoryKib: 3_145_728, cpus: 16 })
  })

  it('keeps its promises about lifecycle and events on the pretended hypervisor', async () => {
    const connection = await connect('test:///default')
    const seen = await record(connection, ['lifecycle'])
    const xml = `<domain type='test'><name>d1</name><memory>65536</memory><os><type>hvm</type></os></domain>`
    const dom = await connection.domainCreateXml(xml)
    expect(await connection.domainGetState(dom)).toEqual({ state: 'running', reason: 'booted' })
    await connection.domainSuspend(dom)
    expect(await connection.domainGetState(dom)).toEqual({ state: 'paused', reason: 'user' })
    await connection.domainResume(dom)
    expect(await connection.domainGetState(dom)).toEqual({ state: 'running', reason: 'unpaused' })
    await connection.domainSuspend(dom)
    expect(await connection.domainGetInfo(dom)).toMatchObject({
      state: 'paused',
      maxMemoryKib: 65_536,
      vcpus: 1,
    })
    expect(await connection.domainGetXmlDesc(dom)).toContain('<name>d1</name>')
    expect(await connection.domainLookupByName('d1')).toEqual(dom)
    expect(await connection.domainLookupByUuid(dom.uuid)).toEqual(dom)
    expect((await connection.listAllDomains(['active'])).map(({ name }) => name).toSorted()).toEqual([
      'd1',
      'test',
    ])
    await connection.domainDestroyFlags(dom)
    const defined = await connection.domainDefineXml(xml)
    expect(await connection.domainGetState(defined)).toMatchObject({ state: 'shutoff' })
    await connection.domainCreate(defined)
    await connection.domainDestroyFlags(defined)
    await connection.domainUndefine(defined)
    await eventually(() => expect(seen).toContain('d1 lifecycle undefined removed'))
    expect(seen.filter((line) => line.includes('stopped'))).toEqual([
      'd1 lifecycle stopped destroyed',
      'd1 lifecycle stopped destroyed',
    ])
    expect(seen).toContain('d1 lifecycle suspended paused')
    expect(seen).toContain('d1 lifecycle resumed unpaused')
  })

  it('tells its errors apart', async () => {
    const connection = await connect('test:///default')
    expect(await codeOf(connection.domainLookupByName('nobody'))).toBe('no-domain')
    expect(await codeOf(connection.domainCreateXml('<domain'))).toBe('xml-detail')
    expect(await codeOf(connection.domainCreateXml('<domain/>'))).toBe('no-name')
    expect(await codeOf(connection.domainCreateXml('<domain/>', ['paused']))).toBe('invalid-arg')
    const [dom] = await connection.listAllDomains()
    expect(await codeOf(connection.domainAttachDeviceFlags(dom!, '<disk/>'))).toBe('no-support')
    expect(await codeOf(connect('nonsense:///'))).not.toBe('done')
    expect(connection.isClosed).toBe(false)
  })

  it('refuses changes on a read-only connection', async () => {
    const { socketPath } = daemon
    const connection = await connectLibvirt({ socketPath, uri: 'test:///default', readOnly: true })
    open.push(connection)
    const [dom] = await connection.listAllDomains()
    await expect(connection.domainSuspend(dom!)).rejects.toMatchObject({ codeName: 'operation-denied' })
  })

  it('answers our pings', async () => {
    const { socketPath } = daemon
    const options = { socketPath, uri: 'test:///default', keepaliveIntervalMs: 50, keepaliveCount: 10 }
    const connection = await connectLibvirt(options)
    open.push(connection)
    // Longer than ten unanswered pings would allow.
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect(connection.isClosed).toBe(false)
  })

  it('runs a QEMU guest: state, devices, metadata, figures, pictures, console, end', async () => {
    const connection = await connect('qemu:///system')
    const seen = await record(connection, ['lifecycle', 'device-added', 'device-removed', 'reboot'])
    const dom = await connection.domainCreateXml(guest('g1'), ['validate', 'paused'])
    const console = await connection.domainOpenConsole(dom)
    await connection.domainResume(dom)
    expect(await connection.domainGetState(dom)).toEqual({ state: 'running', reason: 'unpaused' })

    let text = ''
    for await (const part of console) {
      text += part.toString('latin1')
      if (/bios/i.test(text)) break
    }
    // Now and then QEMU has not drawn yet, and the picture is a file without a byte.
    await eventually(async () => {
      const { mimeType, stream } = await connection.domainScreenshot(dom)
      expect(mimeType).toMatch(/^image\//)
      expect((await stream.readAll(50_000_000, { timeoutMs: 5_000 })).length).toBeGreaterThan(500)
    })

    const keyboard = `<input type='keyboard' bus='usb'><alias name='ua-keys'/></input>`
    await connection.domainAttachDeviceFlags(dom, keyboard)
    await eventually(() => expect(seen).toContain('g1 device-added ua-keys'))
    await connection.domainDetachDeviceAlias(dom, 'ua-keys')
    await eventually(() => expect(seen).toContain('g1 device-removed ua-keys'))

    const disk = join(dir, 'disk')
    await writeFile(disk, '')
    await truncate(disk, 1024 * 1024)
    const diskXml = `<disk type='file'><driver name='qemu' type='raw'/><source file='${disk}'/><target dev='vda' bus='virtio'/></disk>`
    await connection.domainAttachDeviceFlags(dom, diskXml)
    await connection.domainBlockResize(dom, 'vda', 2 * 1024 * 1024)
    expect(await connection.domainGetBlockInfo(dom, 'vda')).toMatchObject({ capacityBytes: 2 * 1024 * 1024 })
    expect(await connection.domainBlockStats(dom, 'vda')).toMatchObject({ writeBytes: 0 })
    await connection.domainSetBlockIoTune(dom, 'vda', { total_iops_sec: 500 })
    expect(await connection.domainGetXmlDesc(dom)).toContain('<total_iops_sec>500</total_iops_sec>')

    const target = { type: 'element', key: 'm', uri: 'urn:x' } as const
    await connection.domainSetMetadata(dom, target, '<note>hello</note>')
    expect(await connection.domainGetMetadata(dom, target)).toContain('hello')
    await connection.domainSetMetadata(dom, target, null)
    await expect(connection.domainGetMetadata(dom, target)).rejects.toMatchObject({
      codeName: 'no-domain-metadata',
    })

    const [stats] = await connection.getAllDomainStats({
      stats: ['state', 'cpu-total', 'block'],
      domains: [dom],
    })
    expect(stats).toMatchObject({ domain: dom, params: { 'state.state': 1, 'block.0.name': 'vda' } })
    expect(stats!.params['cpu.time']).toBeGreaterThan(0)
    expect(await connection.qemuMonitorCommand(dom, { execute: 'query-status' })).toMatchObject({
      return: { status: 'running' },
    })
    await connection.domainReset(dom)
    await connection.domainDestroyFlags(dom, ['graceful'])
    await eventually(() => expect(seen.at(-1)).toBe('g1 lifecycle stopped destroyed'))
    await expect(connection.domainGetState(dom)).rejects.toMatchObject({ codeName: 'no-domain' })
  })

  it('tells when QEMU dies, and leaves guests running over its own death', async () => {
    const connection = await connect('qemu:///system')
    const seen = await record(connection, ['lifecycle'])
    const dying = await connection.domainCreateXml(guest('dying'))
    const living = await connection.domainCreateXml(guest('living'))
    await daemon.exec('bash', ['-c', `kill -9 $(cat /run/libvirt/qemu/dying.pid)`])
    await eventually(() => expect(seen).toContain('dying lifecycle stopped failed'))
    await expect(connection.domainGetState(dying)).rejects.toMatchObject({ codeName: 'no-domain' })

    const ended = new Promise<Error | null>((resolve) => connection.on('close', resolve))
    await daemon.killDaemon()
    expect(await ended).toMatchObject({ name: 'LibvirtConnectionError' })
    await daemon.startDaemon()
    const again = await connect('qemu:///system')
    expect(await again.listAllDomains()).toEqual([living])
    // Right after its start libvirtd is still taking the guest over; ending it then may be answered 'no-domain'.
    await again.domainDestroyFlags(living).catch((error) => expect(error.codeName).toBe('no-domain'))
    expect(await again.listAllDomains()).toEqual([])
  })

  it('keeps secrets', async () => {
    const connection = await connect('qemu:///system')
    const uuid = '11111111-2222-4333-8444-555566667777'
    const xml = `<secret ephemeral='yes' private='yes'><uuid>${uuid}</uuid><usage type='iscsi'><target>vol-1</target></usage></secret>`
    const secret = await connection.secretDefineXml(xml)
    await connection.secretSetValue(secret, Buffer.from('chap'))
    expect(await connection.secretLookupByUuid(uuid)).toEqual(secret)
    expect(await connection.secretLookupByUsage('iscsi', 'vol-1')).toEqual(secret)
    expect(await connection.listAllSecrets()).toEqual([secret])
    await connection.secretUndefine(secret)
    await expect(connection.secretLookupByUuid(uuid)).rejects.toMatchObject({ codeName: 'no-secret' })
  })
})
