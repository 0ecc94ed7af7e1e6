/** Calls that change a domain's devices and metadata. */
import { affectFlags, deviceFlags, metadataTypes } from './generated/enums.ts'
import type { DomainRef } from './domain-calls.ts'
import { bits } from './flags.ts'
import type { FlagName } from './flags.ts'
import type { CallOptions, Rpc } from './rpc.ts'

type DeviceFlags = FlagName<typeof deviceFlags>[]
type AffectFlags = FlagName<typeof affectFlags>[]

/** Which piece of metadata; 'element' needs `key` and `uri`. */
export interface MetadataTarget {
  type: keyof typeof metadataTypes
  /** XML prefix for the element. */
  key?: string
  /** XML namespace of the element. */
  uri?: string
}

export function deviceCalls(rpc: Rpc) {
  return {
    /** Adds the device of `xml` (`<disk>`, `<interface>`, …). */
    domainAttachDeviceFlags: async (
      dom: DomainRef,
      xml: string,
      flags: DeviceFlags = ['live'],
      options?: CallOptions,
    ): Promise<void> =>
      rpc.call('domainAttachDeviceFlags', { dom, xml, flags: bits(deviceFlags, flags) }, options),

    /** Asks for the device's removal. It is gone when the event 'device-removed' says so, not before. */
    domainDetachDeviceFlags: async (
      dom: DomainRef,
      xml: string,
      flags: DeviceFlags = ['live'],
      options?: CallOptions,
    ): Promise<void> =>
      rpc.call('domainDetachDeviceFlags', { dom, xml, flags: bits(deviceFlags, flags) }, options),

    /** The same by the device's alias. */
    domainDetachDeviceAlias: async (
      dom: DomainRef,
      alias: string,
      flags: DeviceFlags = ['live'],
      options?: CallOptions,
    ): Promise<void> =>
      rpc.call('domainDetachDeviceAlias', { dom, alias, flags: bits(deviceFlags, flags) }, options),

    domainUpdateDeviceFlags: async (
      dom: DomainRef,
      xml: string,
      flags: DeviceFlags = ['live'],
      options?: CallOptions,
    ): Promise<void> =>
      rpc.call('domainUpdateDeviceFlags', { dom, xml, flags: bits(deviceFlags, flags) }, options),

    /** Tells a running guest that a disk (target name or source path) has grown to `sizeBytes`. */
    domainBlockResize: async (
      dom: DomainRef,
      disk: string,
      sizeBytes: number,
      options?: CallOptions,
    ): Promise<void> =>
      // Flag 1: the size is in bytes; libvirt's default is KiB.
      rpc.call('domainBlockResize', { dom, disk, size: sizeBytes, flags: 1 }, options),

    /** Sets a piece of metadata; null removes it. */
    domainSetMetadata: async (
      dom: DomainRef,
      target: MetadataTarget,
      metadata: string | null,
      flags: AffectFlags = ['current'],
      options?: CallOptions,
    ): Promise<void> => {
      const { type, key = null, uri = null } = target
      const args = { dom, type: metadataTypes[type], metadata, key, uri, flags: bits(affectFlags, flags) }
      await rpc.call('domainSetMetadata', args, options)
    },

    /** @throws LibvirtError 'no-domain-metadata' when there is none */
    domainGetMetadata: async (
      dom: DomainRef,
      target: MetadataTarget,
      flags: AffectFlags = ['current'],
      options?: CallOptions,
    ): Promise<string> => {
      const { type, uri = null } = target
      const args = { dom, type: metadataTypes[type], uri, flags: bits(affectFlags, flags) }
      return (await rpc.call('domainGetMetadata', args, options)).metadata
    },
  }
}
