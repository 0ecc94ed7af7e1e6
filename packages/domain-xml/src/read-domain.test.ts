import { describe, expect, it } from 'vitest'
import { readDomain } from './read-domain.ts'

const live = `
<domain type='qemu' id='7' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>i-1</name>
  <uuid>ec212222-3333-4444-5555-666677778888</uuid>
  <metadata><m:instance xmlns:m='urn:mallee'><m:generation>3</m:generation></m:instance></metadata>
  <memory unit='KiB'>131072</memory>
  <vcpu placement='static'>2</vcpu>
  <os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type><kernel>/k</kernel></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='/i/link-to-sda' index='1'/><backingStore type='file'><source file='/base'/></backingStore>
      <target dev='vda' bus='virtio'/><serial>s1</serial><alias name='virtio-disk0'/>
    </disk>
    <disk type='network' device='disk'>
      <source protocol='iscsi' name='iqn.x:vol-1/1'><host name='10.0.0.1' port='3260'/></source>
      <target dev='vdf' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>
    <interface type='bridge'>
      <mac address='D0:0D:00:00:00:01'/><source bridge='br0'/><target dev='vn_1'/><model type='virtio'/>
      <mtu size='1450'/><alias name='net0'/>
    </interface>
    <serial type='pty'><source path='/dev/pts/1'/></serial>
    <serial type='file'><source path='/i/console.log' append='on'/><target port='1'/></serial>
  </devices>
</domain>`

const memory = (text: string) => readDomain(`<domain><name>x</name>${text}</domain>`).memoryKib

describe('reading a live domain', () => {
  it('finds what a planner compares', () => {
    expect(readDomain(live)).toEqual({
      type: 'qemu',
      id: 7,
      name: 'i-1',
      uuid: 'ec212222-3333-4444-5555-666677778888',
      memoryKib: 131_072,
      vcpus: 2,
      machine: 'pc-i440fx-7.2',
      emulator: '/usr/bin/qemu-system-x86_64',
      kernel: '/k',
      disks: [
        {
          target: 'vda',
          bus: 'virtio',
          device: 'disk',
          sourceType: 'file',
          source: '/i/link-to-sda',
          protocol: null,
          driverType: 'qcow2',
          cache: 'none',
          serial: 's1',
          readOnly: false,
          alias: 'virtio-disk0',
        },
        expect.objectContaining({
          target: 'vdf',
          source: 'iqn.x:vol-1/1',
          protocol: 'iscsi',
          sourceType: 'network',
        }),
        expect.objectContaining({ device: 'cdrom', source: null, readOnly: true }),
      ],
      interfaces: [
        {
          mac: 'd0:0d:00:00:00:01',
          type: 'bridge',
          bridge: 'br0',
          tap: 'vn_1',
          model: 'virtio',
          mtu: 1450,
          alias: 'net0',
        },
      ],
      serialLogPath: '/i/console.log',
      metadata: { 'm:instance': expect.stringContaining('<m:generation>3</m:generation>') },
    })
  })

  it('knows the units of memory, and does without what is missing', () => {
    expect(memory('<memory unit="MiB">64</memory>')).toBe(65_536)
    expect(memory('<memory unit="GiB">1</memory>')).toBe(1_048_576)
    expect(memory('<memory>10</memory>')).toBe(10)
    expect(readDomain('<domain/>')).toMatchObject({
      id: null,
      name: '',
      uuid: null,
      vcpus: 1,
      disks: [],
      metadata: {},
    })
  })

  it('refuses what is no domain', () => {
    expect(() => readDomain('<network/>')).toThrow(RangeError)
    expect(() => readDomain('<domain>')).toThrow(expect.objectContaining({ fault: 'truncated' }))
  })
})
