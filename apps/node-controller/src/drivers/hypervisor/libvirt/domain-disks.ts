import { createHash } from 'node:crypto'
import { readDomain } from '@mallee/domain-xml'
import { LibvirtError, type DomainRef, type LibvirtConnection, type SecretRef } from '@mallee/libvirt'
import type { LiveDisk } from '../driver.ts'

const callMs = 10_000
/** An attach logs in to the target: libvirt answers when that has succeeded or failed. */
const attachMs = 30_000

/** The disks of a domain as its live XML names them, with the sizes that the guest sees. */
export async function readDisks(connection: LibvirtConnection, domain: DomainRef): Promise<LiveDisk[]> {
  const { disks } = readDomain(await connection.domainGetXmlDesc(domain, [], { timeoutMs: callMs }))
  const [stats] = await connection.getAllDomainStats(
    { stats: ['block'], flags: ['nowait'], domains: [domain] },
    { timeoutMs: callMs },
  )
  const params = stats?.params ?? {}
  const sizes = new Map<string, number>()
  for (let index = 0; params[`block.${index}.name`] !== undefined; index += 1) {
    const capacity = params[`block.${index}.capacity`]
    if (capacity !== undefined) sizes.set(String(params[`block.${index}.name`]), Number(capacity))
  }
  return disks.map(({ target, serial, source }) => ({
    target,
    serial,
    source,
    sizeBytes: sizes.get(target) ?? null,
  }))
}

export async function attachDisk(
  connection: LibvirtConnection,
  domain: DomainRef,
  xml: string,
): Promise<void> {
  await connection.domainAttachDeviceFlags(domain, xml, ['live'], { timeoutMs: attachMs })
}

/** The device is found by its target: libvirt needs no more of it. */
export async function detachDisk(
  connection: LibvirtConnection,
  domain: DomainRef,
  target: string,
): Promise<void> {
  const { disks } = readDomain(await connection.domainGetXmlDesc(domain, [], { timeoutMs: callMs }))
  const alias = disks.find((disk) => disk.target === target)?.alias
  if (alias) await connection.domainDetachDeviceAlias(domain, alias, ['live'], { timeoutMs: callMs })
}

/** Ephemeral, so that no password is ever in a file of libvirt's; and private, so that nobody is shown it. */
export async function setSecret(connection: LibvirtConnection, name: string, value: string): Promise<void> {
  const xml = `<secret ephemeral="yes" private="yes"><uuid>${uuidOf(name)}</uuid><usage type="iscsi"><target>${name}</target></usage></secret>`
  const secret = await connection.secretDefineXml(xml, { timeoutMs: callMs })
  await connection.secretSetValue(secret, Buffer.from(value), { timeoutMs: callMs })
}

export async function listSecrets(connection: LibvirtConnection): Promise<SecretRef[]> {
  return connection.listAllSecrets({ timeoutMs: callMs })
}

export async function dropSecret(connection: LibvirtConnection, name: string): Promise<void> {
  try {
    const secret = await connection.secretLookupByUsage('iscsi', name, { timeoutMs: callMs })
    await connection.secretUndefine(secret, { timeoutMs: callMs })
  } catch (error) {
    if (!(error instanceof LibvirtError) || error.codeName !== 'no-secret') throw error
  }
}

/** The same name is always the same secret, so that setting it again changes it. */
function uuidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
