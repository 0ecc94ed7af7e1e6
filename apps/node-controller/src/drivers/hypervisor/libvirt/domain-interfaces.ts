import { readDomain } from '@mallee/domain-xml'
import type { DomainRef, LibvirtConnection } from '@mallee/libvirt'
import type { LiveInterface } from '../driver.ts'

const callMs = 10_000

/** The network interfaces of a domain as its live XML names them. */
export async function readInterfaces(
  connection: LibvirtConnection,
  domain: DomainRef,
): Promise<LiveInterface[]> {
  const { interfaces } = readDomain(await connection.domainGetXmlDesc(domain, [], { timeoutMs: callMs }))
  return interfaces.map(({ mac, tap }) => ({ mac, tap }))
}

export async function attachInterface(
  connection: LibvirtConnection,
  domain: DomainRef,
  xml: string,
): Promise<void> {
  await connection.domainAttachDeviceFlags(domain, xml, ['live'], { timeoutMs: callMs })
}

/** The device is found by its MAC: libvirt needs no more of it than its alias. */
export async function detachInterface(
  connection: LibvirtConnection,
  domain: DomainRef,
  mac: string,
): Promise<void> {
  const { interfaces } = readDomain(await connection.domainGetXmlDesc(domain, [], { timeoutMs: callMs }))
  const alias = interfaces.find((entry) => entry.mac === mac)?.alias
  if (alias) await connection.domainDetachDeviceAlias(domain, alias, ['live'], { timeoutMs: callMs })
}
