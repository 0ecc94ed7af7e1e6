/**
 * The structure of instance.xml, version 2, in the order in which it is written: the file that every
 * instance has on its node, known from Eucalyptus, that the stylesheet turns into the domain and from which
 * the node controller takes an instance up again after its own restart.
 *
 * Names are those in the file. What Eucalyptus' file does not have is only ever a new attribute, marked
 * "new" below: stylesheets written for Eucalyptus pass over it.
 */
import {
  attributes,
  attributesAndText,
  choice,
  decimal,
  flag,
  formerly,
  group,
  integer,
  list,
  optional,
  text,
  textList,
  verbatim,
} from './xml-shapes.ts'
import type { Shape } from './xml-shapes.ts'
import { element, elements, find, textOf } from './xml-tree.ts'

/** The version written; older ones are read. */
export const INSTANCE_XML_VERSION = '2'

/** What the root disk is made from. */
const rootTypes = [
  'unknown',
  'image',
  'ebs',
  'ephemeral',
  'swap',
  'kernel',
  'ramdisk',
  'boot',
  'fulldisk',
] as const

const diskPathShape = attributesAndText(
  {
    targetDeviceType: choice(['disk', 'floppy', 'cdrom']),
    /** 'sda', 'vda', 'hda', … */
    targetDeviceName: text,
    /** Only when virtio is used for the root disk: the name with its first letter made 'v'. */
    targetDeviceNameVirtio: optional(text),
    /** Likewise: 'virtio'. */
    targetDeviceBusVirtio: optional(text),
    targetDeviceBus: choice(['ide', 'scsi', 'virtio', 'xen', 'sata']),
    sourceType: choice(['file', 'block']),
    serial: optional(text),
    /** New. Format of the backing file; without it libvirt takes raw. */
    driverType: optional(choice(['raw', 'qcow2'])),
    /** New. QEMU's cache mode instead of 'none'. */
    driverCache: optional(choice(['none', 'writethrough', 'writeback', 'directsync', 'unsafe'])),
    /** New. 'unmap' passes the guest's discards on to the file. */
    driverDiscard: optional(choice(['ignore', 'unmap'])),
  },
  'backingPath',
)

const rootShape = attributes({ device: text, uuid: optional(text) })

/** One disk, with the file system on it where it is the root disk. */
export type DiskPath = ReturnType<typeof diskPathShape.read> & { root?: ReturnType<typeof rootShape.read> }

export interface Disks {
  /** Path of a floppy image; empty when there is none. */
  floppyPath: string
  /** Root first, then in order of the mapping. EBS volumes are not here but among the volumes. */
  diskPaths: DiskPath[]
}

/** A `root` element belongs to the `diskPath` before it. */
const disksShape: Shape<Disks> = {
  read: (at, path) => {
    const diskPaths: DiskPath[] = []
    for (const child of elements(at)) {
      const disk = diskPaths.at(-1)
      if (child.name === 'diskPath')
        diskPaths.push(diskPathShape.read(child, `${path}/diskPath[${diskPaths.length + 1}]`))
      else if (child.name === 'root' && disk !== undefined) disk.root = rootShape.read(child, `${path}/root`)
    }
    return { floppyPath: textOf(find(at, 'floppyPath')), diskPaths }
  },
  write: (name, { floppyPath, diskPaths }) => {
    const disks = diskPaths.flatMap((disk) => [
      diskPathShape.write('diskPath', disk)!,
      ...(disk.root === undefined ? [] : [rootShape.write('root', disk.root)!]),
    ])
    return element(name, {}, [element('floppyPath', {}, floppyPath === '' ? [] : [floppyPath]), ...disks])
  },
}

const vbrShape = group({
  /** URL, `objectstorage://bucket/manifest`, `cloud://`, `sc://vol-id,token`, `file:///` or 'none'. */
  resourceLocation: text,
  /** Without /dev/; 'none' for kernel and ramdisk. */
  guestDeviceName: text,
  sizeBytes: integer(),
  /** 'ext2', 'ext3', 'ntfs', 'swap' or 'none'. */
  formatName: text,
  id: text,
  /** 'machine', 'kernel', 'ramdisk', 'ephemeralN', 'swap', 'ebs', 'boot'. */
  typeName: text,
  type: text,
  /** Eucalyptus' own values are off by two; not to be relied on. */
  locationType: text,
  format: text,
  diskNumber: integer(),
  partitionNumber: integer(),
  guestDeviceType: text,
  guestDeviceBus: text,
  backingType: text,
  backingPath: text,
  preparedResourceLocation: text,
  guestDeviceSerialId: text,
})

const volumeShape = group({
  id: text,
  attachmentToken: text,
  /** Without /dev/. */
  devName: formerly('localDevReal', text),
  stateName: choice([
    'attaching',
    'attached',
    'attaching failed',
    'detaching',
    'detached',
    'detaching failed',
  ]),
  connectionString: text,
  /** The `<disk>` as it goes into the domain, byte for byte. */
  libvirt: verbatim,
})

/** One interface: attributes only. */
export const nicShape = attributes({
  vlan: integer(-1),
  networkIndex: integer(-1),
  mac: text,
  publicIp: text,
  privateIp: text,
  /** The bridge on the host. */
  bridgeDeviceName: text,
  /** The tap on the host. */
  guestDeviceName: text,
  /** 0 is the primary interface. */
  device: integer(),
  stateName: text,
  hypervisorType: choice(['kvm', 'qemu', 'xen']),
  osPlatform: choice(['linux', 'windows']),
  osVirtioNetwork: flag,
  attachmentId: optional(text),
  /** New. Greatest packet in bytes, offered to the guest. */
  mtu: optional(integer()),
})

const statesShape = group({
  retries: integer(),
  stateName: choice(['Pending', 'Extant', 'Teardown']),
  bundleTaskStateName: text,
  bundleTaskProgress: decimal(4),
  createImageTaskStateName: text,
  stateCode: integer(),
  /** The node's own word for where the instance stands. */
  state: text,
  bundleTaskState: choice(['none', 'bundling', 'succeeded', 'failed', 'cancelled']),
  bundleBucketExists: flag,
  bundleCanceled: flag,
  guestStateName: choice(['poweredOn', 'poweredOff']),
  isStopRequested: flag,
  createImageTaskState: choice(['none', 'creating', 'succeeded', 'failed', 'cancelled']),
  createImagePid: integer(),
  createImageCanceled: flag,
  migrationState: choice(['none', 'preparing', 'ready', 'migrating', 'cleaning']),
  migrationSource: text,
  migrationDestination: text,
  migrationCredentials: text,
})

/** Seconds since 1970; 0 is never. */
const timestampsShape = group({
  launchTime: integer(),
  expiryTime: integer(),
  bootTime: integer(),
  bundlingTime: integer(),
  createImageTime: integer(),
  terminationRequestedTime: integer(),
  terminationTime: integer(),
  migrationTime: integer(),
})

const hypervisorShape = attributes({
  type: choice(['kvm', 'qemu', 'xen']),
  capability: choice(['unknown', 'xen', 'hw', 'xen+hw']),
  bitness: choice(['64', '32']),
  /** Partitions must be put together into a disk: true for all but Xen. */
  requiresDisk: flag,
  /** New. Bound of the emulator's translation cache in MiB; only for type qemu. */
  tbCacheMiB: optional(integer()),
  /** New. Serial port of the console, 0 for ttyS0; libvirt of today takes the 1 that Eucalyptus wrote at its word. */
  consolePort: optional(integer()),
  /** New. Model of a video device ('vga', 'virtio', …), without which there are no screenshots. */
  videoModel: optional(text),
})

/** The whole file. */
export const instanceShape = group({
  hypervisor: hypervisorShape,
  backing: group({ root: attributes({ type: choice(rootTypes) }) }),
  /** Instance id, and libvirt's name for the domain. */
  name: text,
  uuid: text,
  reservation: text,
  user: text,
  owner: text,
  account: text,
  imageId: text,
  kernelId: text,
  ramdiskId: text,
  dnsName: text,
  privateDnsName: text,
  instancePath: text,
  /** Paths, only of images with kernel and ramdisk of their own. */
  kernel: optional(text),
  ramdisk: optional(text),
  xmlFilePath: text,
  libvirtFilePath: text,
  consoleLogPath: text,
  /** Base64, as it came. */
  userData: text,
  launchIndex: text,
  hasFloppy: flag,
  cpuPassthrough: flag,
  cores: integer(1),
  memoryKB: integer(),
  diskGB: integer(),
  VmType: text,
  NicType: choice(['none', 'e1000', 'rtl8139', 'virtio']),
  NicDevice: text,
  /** The kernel's `root=`; empty lets the stylesheet choose. */
  rootDirective: text,
  key: attributes({ doInjectKey: flag, sshKey: text }),
  os: attributes({
    platform: choice(['linux', 'windows']),
    virtioRoot: flag,
    virtioDisk: flag,
    virtioNetwork: flag,
  }),
  groupNames: textList('name'),
  disks: disksShape,
  vbrs: list('vbr', vbrShape),
  volumes: list('volume', volumeShape),
  nics: list('nic', nicShape),
  states: statesShape,
  timestamps: timestampsShape,
})

/** Everything that instance.xml says. */
export type InstanceXml = ReturnType<typeof instanceShape.read>
export type Nic = ReturnType<typeof nicShape.read>
export type Vbr = ReturnType<typeof vbrShape.read>
export type InstanceVolume = ReturnType<typeof volumeShape.read>
