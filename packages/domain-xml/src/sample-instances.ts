/** Only for tests: the samples, and a whole instance such as a node writes. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { emptyInstanceXml } from './instance-xml.ts'
import type { InstanceXml } from './instance-xml-schema.ts'

const samplesDir = join(import.meta.dirname, '../samples')

/** Names of the samples that are whole instances. */
export const sampleNames = ['instance-linux-partitions', 'instance-ebs', 'instance-windows'] as const

export const samplePath = (name: string) => join(samplesDir, `${name}.xml`)
export const sampleText = (name: string) => readFileSync(samplePath(name), 'utf8')

/** An instance with everything in it, in `dir`. */
export function exampleInstance(dir: string, name = 'i-0123456789abcdef0'): InstanceXml {
  const empty = emptyInstanceXml()
  const nic = {
    vlan: -1,
    networkIndex: -1,
    publicIp: '0.0.0.0',
    stateName: 'attached',
    hypervisorType: 'qemu',
  } as const
  return {
    ...empty,
    hypervisor: {
      type: 'qemu',
      capability: 'hw',
      bitness: '64',
      requiresDisk: true,
      tbCacheMiB: 32,
      videoModel: 'vga',
    },
    backing: { root: { type: 'image' } },
    name,
    uuid: '11112222-3333-4444-8555-666677778888',
    account: '000100000001',
    instancePath: dir,
    kernel: `${dir}/link-to-kernel`,
    ramdisk: `${dir}/link-to-ramdisk`,
    consoleLogPath: `${dir}/console.log`,
    cores: 2,
    memoryKB: 131_072,
    VmType: 't3.micro',
    NicType: 'virtio',
    NicDevice: 'br-test',
    key: { doInjectKey: true, sshKey: 'ssh-ed25519 AAAA "me" <me@example.org>' },
    os: { platform: 'linux', virtioRoot: true, virtioDisk: true, virtioNetwork: true },
    groupNames: ['default', 'web & <more>'],
    disks: {
      floppyPath: '',
      diskPaths: [
        {
          targetDeviceType: 'disk',
          targetDeviceName: 'sda',
          targetDeviceNameVirtio: 'vda',
          targetDeviceBusVirtio: 'virtio',
          targetDeviceBus: 'scsi',
          sourceType: 'file',
          serial: 'euca-bdm-machine-dev-sda',
          driverType: 'qcow2',
          driverDiscard: 'unmap',
          backingPath: `${dir}/link-to-sda`,
          root: { device: '/dev/sda1', uuid: '0a0b' },
        },
        {
          targetDeviceType: 'disk',
          targetDeviceName: 'sdb',
          targetDeviceBus: 'scsi',
          sourceType: 'file',
          driverType: 'raw',
          driverCache: 'writeback',
          backingPath: `${dir}/link-to-sdb`,
        },
      ],
    },
    vbrs: [{ ...emptyVbr, id: 'ami-1', typeName: 'machine', sizeBytes: 25_165_824, guestDeviceName: 'sda' }],
    volumes: [],
    nics: [
      {
        ...nic,
        mac: 'd0:0d:00:00:00:01',
        privateIp: '172.31.0.9',
        bridgeDeviceName: 'br-test',
        guestDeviceName: 'vn_test',
        device: 0,
        osPlatform: 'linux',
        osVirtioNetwork: true,
        attachmentId: 'eni-attach-1',
        mtu: 1450,
      },
    ],
    states: { ...empty.states, stateName: 'Extant', state: 'Extant', bundleTaskProgress: 0.25 },
    timestamps: { ...empty.timestamps, launchTime: 1_700_000_000 },
  }
}

const emptyVbr: InstanceXml['vbrs'][number] = {
  resourceLocation: 'none',
  guestDeviceName: 'none',
  sizeBytes: 0,
  formatName: 'none',
  id: '',
  typeName: '',
  type: '',
  locationType: '',
  format: '',
  diskNumber: 0,
  partitionNumber: 0,
  guestDeviceType: '',
  guestDeviceBus: '',
  backingType: '',
  backingPath: '',
  preparedResourceLocation: '',
  guestDeviceSerialId: '',
}
