import type { AttachedVolume, ConnectionItem } from '@mallee/agent-contract'

/**
 * How a volume becomes a disk of a domain: by QEMU's own iSCSI initiator, so that no kernel initiator is needed and the
 * connection ends with the guest (DECISIONS 13). This only describes; plugging in and out are the hypervisor's verbs.
 * https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms
 */
export function iscsiDisk(volume: AttachedVolume, connection: ConnectionItem, cloudHost: string): string {
  const { portal } = connection
  const tune = [
    ...(volume.iops > 0 ? [`<total_iops_sec>${volume.iops}</total_iops_sec>`] : []),
    ...(volume.iops > 0 ? [`<size_iops_sec>${sizeOfOneBytes}</size_iops_sec>`] : []),
    ...(volume.bytesPerSecond > 0 ? [`<total_bytes_sec>${volume.bytesPerSecond}</total_bytes_sec>`] : []),
  ].toSorted()
  return `<disk type="network" device="disk">
  <driver name="qemu" type="raw" cache="none" discard="unmap"/>
  <source protocol="iscsi" name="${escaped(connection.iqn)}/1">
    <host name="${escaped(portal.host ?? cloudHost)}" port="${portal.port}"/>
    <auth username="${escaped(connection.chapUser)}"><secret type="iscsi" usage="${secretName(connection.attachmentId)}"/></auth>
    <initiator><iqn name="${escaped(connection.initiatorIqn)}"/></initiator>
  </source>
  <target dev="${diskTarget(volume.device)}" bus="virtio"/>${
    tune.length === 0 ? '' : `\n  <iotune>${tune.join('')}</iotune>`
  }
  <serial>${diskSerial(volume.volumeId)}</serial>
</disk>`
}

/** What counts as one operation, as EBS counts them on solid-state volumes. */
const sizeOfOneBytes = 256 * 1024

/** `vol0123456789abcdef0`, as AWS's own disks say: a virtio disk's serial has 20 characters at most. */
export function diskSerial(volumeId: string): string {
  return volumeId.replace('-', '').slice(0, 20)
}

export const volumeSerial = /^vol[0-9a-f]{8,17}$/

/** `/dev/sdf` and `/dev/xvdf` are `vdf` on the bus that guests get; a partition's number says nothing of the disk. */
export function diskTarget(device: string): string {
  const letters = /(?:sd|vd|xvd|hd)([a-z]{1,2})[0-9]*$/.exec(device)?.[1] ?? 'a'
  return `vd${letters}`
}

/** By which libvirt knows the secret of a connection. */
export function secretName(attachmentId: string): string {
  return `mallee ${attachmentId}`
}

export function isOurSecret(name: string): boolean {
  return name.startsWith('mallee ')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
