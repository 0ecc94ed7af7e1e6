/** Calls that find domains, make them, end them and tell how they are. */
import type { domainBody } from './generated/procedures.ts'
import {
  defineFlags,
  destroyFlags,
  listDomainsFlags,
  rebootFlags,
  shutdownFlags,
  startFlags,
  undefineFlags,
  xmlFlags,
} from './generated/enums.ts'
import { domainState, stateName } from './domain-state.ts'
import type { DomainState, DomainStateName } from './domain-state.ts'
import { bits } from './flags.ts'
import type { FlagName } from './flags.ts'
import type { CallOptions, Rpc } from './rpc.ts'
import type { XdrValue } from './xdr.ts'

/** How libvirt names a domain. It is found by `uuid`; `id` is -1 when the domain is not running. */
export type DomainRef = XdrValue<typeof domainBody>

/** Sizes and use of one domain. */
export interface DomainInfo {
  state: DomainStateName
  maxMemoryKib: number
  memoryKib: number
  vcpus: number
  cpuTimeNs: number
}

/** List, find, read. */
export function domainQueries(rpc: Rpc) {
  return {
    /** All domains, or those that match the flags ('active', 'transient', …; groups are and-ed). */
    listAllDomains: async (
      flags: FlagName<typeof listDomainsFlags>[] = [],
      options?: CallOptions,
    ): Promise<DomainRef[]> => {
      const args = { needResults: 1, flags: bits(listDomainsFlags, flags) }
      return (await rpc.call('connectListAllDomains', args, options)).domains
    },

    /** @throws LibvirtError 'no-domain' */
    domainLookupByName: async (name: string, options?: CallOptions): Promise<DomainRef> =>
      (await rpc.call('domainLookupByName', { name }, options)).dom,

    /** @throws LibvirtError 'no-domain' */
    domainLookupByUuid: async (uuid: string, options?: CallOptions): Promise<DomainRef> =>
      (await rpc.call('domainLookupByUuid', { uuid }, options)).dom,

    domainGetState: async (dom: DomainRef, options?: CallOptions): Promise<DomainState> => {
      const { state, reason } = await rpc.call('domainGetState', { dom, flags: 0 }, options)
      return domainState(state, reason)
    },

    domainGetInfo: async (dom: DomainRef, options?: CallOptions): Promise<DomainInfo> => {
      const info = await rpc.call('domainGetInfo', { dom }, options)
      const { state, maxMem, memory, nrVirtCpu, cpuTime } = info
      return {
        state: stateName(state),
        maxMemoryKib: maxMem,
        memoryKib: memory,
        vcpus: nrVirtCpu,
        cpuTimeNs: cpuTime,
      }
    },

    /** The domain's XML as it is now; 'inactive' for the stored definition. */
    domainGetXmlDesc: async (
      dom: DomainRef,
      flags: FlagName<typeof xmlFlags>[] = [],
      options?: CallOptions,
    ): Promise<string> =>
      (await rpc.call('domainGetXmlDesc', { dom, flags: bits(xmlFlags, flags) }, options)).xml,
  }
}

/** Make and unmake. */
export function domainMaking(rpc: Rpc) {
  return {
    /** Starts a transient domain. 'validate' checks the XML against libvirt's schema first. */
    domainCreateXml: async (
      xmlDesc: string,
      flags: FlagName<typeof startFlags>[] = [],
      options?: CallOptions,
    ): Promise<DomainRef> =>
      (await rpc.call('domainCreateXml', { xmlDesc, flags: bits(startFlags, flags) }, options)).dom,

    /** Stores a definition without starting it. */
    domainDefineXml: async (
      xml: string,
      flags: FlagName<typeof defineFlags>[] = [],
      options?: CallOptions,
    ): Promise<DomainRef> =>
      (await rpc.call('domainDefineXmlFlags', { xml, flags: bits(defineFlags, flags) }, options)).dom,

    domainUndefine: async (
      dom: DomainRef,
      flags: FlagName<typeof undefineFlags>[] = [],
      options?: CallOptions,
    ): Promise<void> => rpc.call('domainUndefineFlags', { dom, flags: bits(undefineFlags, flags) }, options),

    /** Starts a defined domain. */
    domainCreate: async (
      dom: DomainRef,
      flags: FlagName<typeof startFlags>[] = [],
      options?: CallOptions,
    ): Promise<DomainRef> =>
      (await rpc.call('domainCreateWithFlags', { dom, flags: bits(startFlags, flags) }, options)).dom,
  }
}

/** End, restart, pause. */
export function domainPower(rpc: Rpc) {
  return {
    /**
     * Pulls the plug. With 'graceful' libvirt only terminates QEMU politely and fails with 'operation-failed'
     * (resource-busy) when it does not go within fifteen seconds; without it, it is killed.
     */
    domainDestroyFlags: async (
      dom: DomainRef,
      flags: FlagName<typeof destroyFlags>[] = [],
      options?: CallOptions,
    ): Promise<void> => rpc.call('domainDestroyFlags', { dom, flags: bits(destroyFlags, flags) }, options),

    /** Asks the guest to shut down; answers at once, the guest may ignore it. */
    domainShutdownFlags: async (
      dom: DomainRef,
      flags: FlagName<typeof shutdownFlags>[] = ['acpi-power-btn'],
      options?: CallOptions,
    ): Promise<void> => rpc.call('domainShutdownFlags', { dom, flags: bits(shutdownFlags, flags) }, options),

    /** Asks the guest to shut down, then starts the same machine again. */
    domainReboot: async (
      dom: DomainRef,
      flags: FlagName<typeof rebootFlags>[] = [],
      options?: CallOptions,
    ): Promise<void> => rpc.call('domainReboot', { dom, flags: bits(rebootFlags, flags) }, options),

    /** Presses the reset button. */
    domainReset: async (dom: DomainRef, options?: CallOptions): Promise<void> =>
      rpc.call('domainReset', { dom, flags: 0 }, options),

    domainSuspend: async (dom: DomainRef, options?: CallOptions): Promise<void> =>
      rpc.call('domainSuspend', { dom }, options),

    domainResume: async (dom: DomainRef, options?: CallOptions): Promise<void> =>
      rpc.call('domainResume', { dom }, options),

    /** A non-maskable interrupt: EC2's diagnostic interrupt. */
    domainInjectNmi: async (dom: DomainRef, options?: CallOptions): Promise<void> =>
      rpc.call('domainInjectNmi', { dom, flags: 0 }, options),
  }
}
