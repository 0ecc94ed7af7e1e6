/**
 * Calls about secrets: passwords that libvirt hands to QEMU (iSCSI CHAP, Ceph), never shown in domain XML.
 */
import { secretUsageTypes } from './generated/enums.ts'
import type { CallOptions, Rpc } from './rpc.ts'

/** How libvirt names a secret. */
export interface SecretRef {
  uuid: string
  usageType: number
  usageID: string
}

/** What a secret is for. */
export type SecretUsage = (typeof secretUsageTypes)[number]

export function secretCalls(rpc: Rpc) {
  return {
    /**
     * Defines a secret, or changes the one with the same UUID. An ephemeral one is gone when libvirtd
     * restarts: set it again before each use.
     */
    secretDefineXml: async (xml: string, options?: CallOptions): Promise<SecretRef> =>
      (await rpc.call('secretDefineXml', { xml, flags: 0 }, options)).secret,

    /** Gives a secret its value. The value is in no error and no log of this client. */
    secretSetValue: async (secret: SecretRef, value: Uint8Array, options?: CallOptions): Promise<void> =>
      rpc.call('secretSetValue', { secret, value, flags: 0 }, options),

    secretUndefine: async (secret: SecretRef, options?: CallOptions): Promise<void> =>
      rpc.call('secretUndefine', { secret }, options),

    /** @throws LibvirtError 'no-secret' */
    secretLookupByUuid: async (uuid: string, options?: CallOptions): Promise<SecretRef> =>
      (await rpc.call('secretLookupByUuid', { uuid }, options)).secret,

    /** @throws LibvirtError 'no-secret' */
    secretLookupByUsage: async (
      usage: SecretUsage,
      usageID: string,
      options?: CallOptions,
    ): Promise<SecretRef> => {
      const usageType = secretUsageTypes.indexOf(usage)
      return (await rpc.call('secretLookupByUsage', { usageType, usageID }, options)).secret
    },

    listAllSecrets: async (options?: CallOptions): Promise<SecretRef[]> =>
      (await rpc.call('connectListAllSecrets', { needResults: 1, flags: 0 }, options)).secrets,
  }
}
