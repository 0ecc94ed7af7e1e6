/** Calls about the hypervisor and its host. */
import type { CallOptions, Rpc } from './rpc.ts'

/** The host as libvirt sees it. */
export interface NodeInfo {
  model: string
  memoryKib: number
  cpus: number
  mhz: number
  numaNodes: number
  /** Sockets of one NUMA node, cores of one socket, threads of one core. */
  sockets: number
  cores: number
  threads: number
}

/** Which emulator `getDomainCapabilities` is asked about; null lets libvirt choose. */
export interface DomainCapabilitiesQuery {
  emulator?: string | null
  arch?: string | null
  machine?: string | null
  /** 'kvm' or 'qemu'. */
  virtType?: string | null
}

/** 9000000 is '9.0.0'. */
export function versionText(version: number): string {
  return `${Math.floor(version / 1e6)}.${Math.floor(version / 1e3) % 1e3}.${version % 1e3}`
}

export function hostCalls(rpc: Rpc) {
  return {
    /** Version of the libvirt that answers: major × 1,000,000 + minor × 1,000 + release. */
    getLibVersion: async (options?: CallOptions): Promise<number> =>
      (await rpc.call('connectGetLibVersion', undefined, options)).libVer,

    /** Version of the hypervisor (QEMU), in the same form. */
    getVersion: async (options?: CallOptions): Promise<number> =>
      (await rpc.call('connectGetVersion', undefined, options)).hvVer,

    /** 'QEMU', 'Test', … */
    getType: async (options?: CallOptions): Promise<string> =>
      (await rpc.call('connectGetType', undefined, options)).type,

    getUri: async (options?: CallOptions): Promise<string> =>
      (await rpc.call('connectGetUri', undefined, options)).uri,

    getHostname: async (options?: CallOptions): Promise<string> =>
      (await rpc.call('connectGetHostname', undefined, options)).hostname,

    /** XML. The first call after libvirt's start probes every emulator, which takes seconds. */
    getCapabilities: async (options?: CallOptions): Promise<string> =>
      (await rpc.call('connectGetCapabilities', undefined, options)).capabilities,

    /** XML: what one emulator and machine can do. */
    getDomainCapabilities: async (
      query: DomainCapabilitiesQuery = {},
      options?: CallOptions,
    ): Promise<string> => {
      const { emulator = null, arch = null, machine = null, virtType = null } = query
      const args = { emulatorbin: emulator, arch, machine, virttype: virtType, flags: 0 }
      return (await rpc.call('connectGetDomainCapabilities', args, options)).capabilities
    },

    nodeGetInfo: async (options?: CallOptions): Promise<NodeInfo> => {
      const info = await rpc.call('nodeGetInfo', undefined, options)
      const { model, memory, cpus, mhz, nodes, sockets, cores, threads } = info
      return { model, memoryKib: memory, cpus, mhz, numaNodes: nodes, sockets, cores, threads }
    },

    /** Free memory of the host, in bytes. */
    nodeGetFreeMemory: async (options?: CallOptions): Promise<number> =>
      (await rpc.call('nodeGetFreeMemory', undefined, options)).freeMem,
  }
}
