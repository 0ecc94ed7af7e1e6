/** What a live domain's XML says, as far as a planner needs it to see what is really there. */
import { elements, find, parseXml, serializeXml, textOf } from './xml-tree.ts'
import type { XmlElement } from './xml-tree.ts'

export interface DomainDisk {
  /** 'vda' */
  target: string
  bus: string | null
  /** 'disk', 'cdrom', 'floppy', 'lun' */
  device: string
  /** 'file', 'block', 'network', … */
  sourceType: string
  /** Path of the file or device; for the network its name, as in `iqn…/1`. null: no medium. */
  source: string | null
  /** 'iscsi', 'rbd', 'nbd' for the network. */
  protocol: string | null
  driverType: string | null
  cache: string | null
  serial: string | null
  readOnly: boolean
  /** libvirt's name for the device, by which it is detached; null in a definition. */
  alias: string | null
}

export interface DomainInterface {
  /** Lower case. */
  mac: string
  type: string
  bridge: string | null
  /** The tap on the host; null in a definition. */
  tap: string | null
  model: string | null
  mtu: number | null
  alias: string | null
}

export interface DomainDescription {
  /** 'kvm' or 'qemu' */
  type: string
  /** The hypervisor's number while it runs. */
  id: number | null
  name: string
  uuid: string | null
  memoryKib: number
  vcpus: number
  machine: string | null
  emulator: string | null
  kernel: string | null
  disks: DomainDisk[]
  interfaces: DomainInterface[]
  /** File that the first serial port is written to. */
  serialLogPath: string | null
  /** The elements of `<metadata>` by their name, prefix included, as XML. */
  metadata: Record<string, string>
}

const KIB: Record<string, number> = {
  b: 1 / 1024,
  bytes: 1 / 1024,
  KB: 1000 / 1024,
  k: 1,
  KiB: 1,
  MB: 1e6 / 1024,
  M: 1024,
  MiB: 1024,
  GB: 1e9 / 1024,
  G: 1024 ** 2,
  GiB: 1024 ** 2,
  T: 1024 ** 3,
  TiB: 1024 ** 3,
}

function memoryKib(at: XmlElement | undefined): number {
  return Math.round(Number(textOf(at)) * (KIB[at?.attributes['unit'] ?? 'KiB'] ?? 1))
}

const attribute = (at: XmlElement | undefined, name: string): string | null => at?.attributes[name] ?? null
const textOrNull = (at: XmlElement | undefined): string | null =>
  at === undefined ? null : textOf(at).trim()

function readDisk(disk: XmlElement): DomainDisk {
  const source = find(disk, 'source')
  const { file, dev, name, volume } = source?.attributes ?? {}
  return {
    target: attribute(find(disk, 'target'), 'dev') ?? '',
    bus: attribute(find(disk, 'target'), 'bus'),
    device: disk.attributes['device'] ?? 'disk',
    sourceType: disk.attributes['type'] ?? 'file',
    source: file ?? dev ?? name ?? volume ?? null,
    protocol: attribute(source, 'protocol'),
    driverType: attribute(find(disk, 'driver'), 'type'),
    cache: attribute(find(disk, 'driver'), 'cache'),
    serial: textOrNull(find(disk, 'serial')),
    readOnly: find(disk, 'readonly') !== undefined,
    alias: attribute(find(disk, 'alias'), 'name'),
  }
}

function readInterface(nic: XmlElement): DomainInterface {
  const mtu = attribute(find(nic, 'mtu'), 'size')
  return {
    mac: (attribute(find(nic, 'mac'), 'address') ?? '').toLowerCase(),
    type: nic.attributes['type'] ?? '',
    bridge: attribute(find(nic, 'source'), 'bridge'),
    tap: attribute(find(nic, 'target'), 'dev'),
    model: attribute(find(nic, 'model'), 'type'),
    mtu: mtu === null ? null : Number(mtu),
    alias: attribute(find(nic, 'alias'), 'name'),
  }
}

/** Reads libvirt's description of a domain. @throws XmlError; RangeError when it is no domain */
export function readDomain(xml: string): DomainDescription {
  const root = parseXml(xml)
  if (root.name !== 'domain') throw new RangeError(`<${root.name}> is not a domain`)
  const devices = find(root, 'devices')
  const id = root.attributes['id']
  const files = elements(devices, 'serial').filter((serial) => serial.attributes['type'] === 'file')
  return {
    type: root.attributes['type'] ?? '',
    id: id === undefined ? null : Number(id),
    name: textOf(find(root, 'name')),
    uuid: textOrNull(find(root, 'uuid')),
    memoryKib: memoryKib(find(root, 'memory')),
    vcpus: Number(textOf(find(root, 'vcpu')) || '1'),
    machine: attribute(find(root, 'os', 'type'), 'machine'),
    emulator: textOrNull(find(devices, 'emulator')),
    kernel: textOrNull(find(root, 'os', 'kernel')),
    disks: elements(devices, 'disk').map(readDisk),
    interfaces: elements(devices, 'interface').map(readInterface),
    serialLogPath: attribute(find(files[0], 'source'), 'path'),
    metadata: Object.fromEntries(
      elements(find(root, 'metadata')).map((child) => [child.name, serializeXml(child)]),
    ),
  }
}
