import path from 'node:path'
import type { AttachedVolume, DomainItem } from '@mallee/agent-contract'
import { emptyInstanceXml, type InstanceXml } from '@mallee/domain-xml'
import type { NetworkPort } from '../drivers/network/driver.ts'

/** The files of one instance on its node, named as Eucalyptus names them. */
export interface InstanceFiles {
  readonly dir: string
  readonly instanceXml: string
  readonly libvirtXml: string
  readonly console: string
  readonly consolePrefix: string
  readonly rootLink: string
  readonly kernelLink: string
  readonly ramdiskLink: string
}

/** `link-to-vda` and not the disk itself stands in the XML: the path is the same whatever backs it. */
export function instanceFiles(instancesDir: string, item: DomainItem, virtio: VirtioSettings): InstanceFiles {
  const dir = path.join(instancesDir, item.accountId, item.instanceId)
  return {
    dir,
    instanceXml: path.join(dir, 'instance.xml'),
    libvirtXml: path.join(dir, 'instance-libvirt.xml'),
    console: path.join(dir, 'console.log'),
    consolePrefix: path.join(dir, 'console.append.log'),
    rootLink: path.join(dir, `link-to-${rootDevice(item, virtio)}`),
    kernelLink: path.join(dir, 'link-to-kernel'),
    ramdiskLink: path.join(dir, 'link-to-ramdisk'),
  }
}

/** Eucalyptus' USE_VIRTIO_ROOT, _DISK and _NET. */
export interface VirtioSettings {
  readonly root: boolean
  readonly disk: boolean
  readonly network: boolean
}

/**
 * The root device's name on the bus it gets: `vda` with virtio, and `hda` without, because IDE is what a guest that
 * knows no virtio boots from on the machines of today.
 */
export function rootDevice(item: DomainItem, virtio: VirtioSettings): string {
  const letter = /d([a-z])[0-9]*$/.exec(item.rootDeviceName)?.[1] ?? 'a'
  return `${virtio.root ? 'v' : 'h'}d${letter}`
}

/** A volume, and its `<disk>`. */
export interface PreparedVolume {
  readonly volume: AttachedVolume
  readonly xml: string
}

/** instance.xml as the node controller says it; the stylesheet decides what becomes of it. */
export function describeInstance(options: {
  item: DomainItem
  files: InstanceFiles
  ports: readonly NetworkPort[]
  virtio: VirtioSettings
  hypervisorType: 'kvm' | 'qemu'
  tbCacheMiB: number
  /** Of the instance's own disk; null where it boots from a volume. */
  diskFormat: 'raw' | 'qcow2' | null
  volumes: readonly PreparedVolume[]
}): InstanceXml {
  const { item, files, virtio } = options
  const empty = emptyInstanceXml()
  const device = rootDevice(item, virtio)
  const primary = item.interfaces[0]
  return {
    ...empty,
    hypervisor: {
      ...empty.hypervisor,
      type: options.hypervisorType,
      capability: 'hw',
      bitness: '64',
      requiresDisk: true,
      consolePort: 0,
      // A screen of its own: what a guest draws there is what GetConsoleScreenshot shows.
      videoModel: 'vga',
      ...(options.hypervisorType === 'qemu' ? { tbCacheMiB: options.tbCacheMiB } : {}),
    },
    // A volume with a kernel beside it boots like an image of that kind.
    backing: { root: { type: item.machine || item.kernel ? 'image' : 'ebs' } },
    name: item.instanceId,
    uuid: item.uuid,
    reservation: item.reservationId,
    user: item.userId,
    owner: item.userId,
    account: item.accountId,
    imageId: item.machine?.imageId ?? item.imageId ?? '',
    kernelId: item.kernel?.imageId ?? '',
    ramdiskId: item.ramdisk?.imageId ?? '',
    dnsName: item.publicDnsName,
    privateDnsName: item.privateDnsName,
    instancePath: files.dir,
    ...(item.kernel ? { kernel: files.kernelLink } : {}),
    ...(item.ramdisk ? { ramdisk: files.ramdiskLink } : {}),
    xmlFilePath: files.instanceXml,
    libvirtFilePath: files.libvirtXml,
    consoleLogPath: files.console,
    userData: item.userData ?? '',
    launchIndex: String(item.launchIndex),
    hasFloppy: false,
    cpuPassthrough: options.hypervisorType === 'kvm',
    cores: item.vcpus,
    memoryKB: item.memoryMiB * 1024,
    diskGB: item.diskGiB,
    VmType: item.instanceType,
    NicType: virtio.network ? 'virtio' : 'e1000',
    NicDevice: options.ports[0]?.bridge ?? '',
    rootDirective: '',
    key: { doInjectKey: false, sshKey: item.publicKey ?? '' },
    os: {
      platform: item.platform,
      virtioRoot: virtio.root,
      virtioDisk: virtio.disk,
      virtioNetwork: virtio.network,
    },
    groupNames: [...new Set(primary?.securityGroupNames ?? [])],
    disks: {
      floppyPath: '',
      diskPaths: options.diskFormat === null ? [] : [rootDisk(options, device, options.diskFormat)],
    },
    volumes: options.volumes.map(({ volume, xml }) => ({
      id: volume.volumeId,
      attachmentToken: '',
      devName: volume.device.replace(/^\/dev\//, ''),
      stateName: 'attached',
      // Where it is reached is in the disk; a connection string of Eucalyptus' kind would carry the secret.
      connectionString: '',
      libvirt: xml,
    })),
    nics: item.interfaces.map((entry, index) => nicOf(options, entry, options.ports[index]!)),
    states: { ...empty.states, stateName: 'Pending', state: 'Staging' },
    timestamps: { ...empty.timestamps, launchTime: Math.floor(item.launchTimeMs / 1000) },
  }
}

type Options = Parameters<typeof describeInstance>[0]

function rootDisk(
  options: Options,
  device: string,
  driverType: 'raw' | 'qcow2',
): InstanceXml['disks']['diskPaths'][number] {
  return {
    backingPath: options.files.rootLink,
    targetDeviceType: 'disk',
    targetDeviceName: device,
    ...(options.virtio.root
      ? { targetDeviceNameVirtio: device, targetDeviceBusVirtio: 'virtio' as const }
      : {}),
    targetDeviceBus: options.virtio.root ? 'virtio' : 'ide',
    sourceType: 'file',
    serial: `euca-bdm-machine-dev-${device}`,
    driverType,
  }
}

/** The stub of one interface, for the stylesheet. */
export function nicOf(
  options: Pick<Options, 'item' | 'hypervisorType' | 'virtio'>,
  entry: DomainItem['interfaces'][number],
  port: NetworkPort,
): InstanceXml['nics'][number] {
  return {
    vlan: -1,
    networkIndex: -1,
    mac: entry.mac,
    publicIp: entry.publicIp ?? '0.0.0.0',
    privateIp: entry.privateIp,
    bridgeDeviceName: port.bridge,
    guestDeviceName: port.tap,
    device: entry.deviceIndex,
    stateName: 'attached',
    hypervisorType: options.hypervisorType,
    osPlatform: options.item.platform,
    osVirtioNetwork: options.virtio.network,
    attachmentId: entry.attachmentId,
    ...(port.mtu === null ? {} : { mtu: port.mtu }),
  }
}
