/** Calls that measure. */
import { memoryStatTags, statsFlags, statsTypes } from './generated/enums.ts'
import type { DomainRef } from './domain-calls.ts'
import { bits, nameOf } from './flags.ts'
import type { FlagName } from './flags.ts'
import type { CallOptions, Rpc } from './rpc.ts'
import { fromWire, toWire } from './typed-params.ts'
import type { TypedParams } from './typed-params.ts'

/** One domain's counters by libvirt's names, such as 'cpu.time' or 'block.0.rd.bytes'. */
export interface DomainStats {
  domain: DomainRef
  params: TypedParams
}

/** What getAllDomainStats is asked for. */
export interface StatsQuery {
  /** All that the hypervisor has when left out. */
  stats?: FlagName<typeof statsTypes>[]
  /** Which domains, and 'nowait' to skip those that are busy instead of waiting for them. */
  flags?: FlagName<typeof statsFlags>[]
  /** Only these; all when left out. */
  domains?: DomainRef[]
}

/** Bandwidth and operations of one disk by the names of libvirt's `<iotune>`, e.g. `total_iops_sec`. */
export type BlockIoTune = Record<string, number>

export function statsCalls(rpc: Rpc) {
  return {
    /** Counters of all domains in one call. */
    getAllDomainStats: async (query: StatsQuery = {}, options?: CallOptions): Promise<DomainStats[]> => {
      const { stats = [], flags = [], domains = [] } = query
      const args = { doms: domains, stats: bits(statsTypes, stats), flags: bits(statsFlags, flags) }
      const { retStats } = await rpc.call('connectGetAllDomainStats', args, options)
      return retStats.map(({ dom, params }) => ({ domain: dom, params: fromWire(params) }))
    },

    /** Counters of one interface, by the name of its tap; -1 where the hypervisor has no number. */
    domainInterfaceStats: async (dom: DomainRef, device: string, options?: CallOptions) =>
      rpc.call('domainInterfaceStats', { dom, device }, options),

    /** Counters of one disk, by target name ('vda'); -1 where the hypervisor has no number. */
    domainBlockStats: async (dom: DomainRef, disk: string, options?: CallOptions) => {
      const stats = await rpc.call('domainBlockStats', { dom, path: disk }, options)
      return {
        readRequests: stats.rdReq,
        readBytes: stats.rdBytes,
        writeRequests: stats.wrReq,
        writeBytes: stats.wrBytes,
        errors: stats.errs,
      }
    },

    /** Sizes of one disk in bytes. */
    domainGetBlockInfo: async (dom: DomainRef, disk: string, options?: CallOptions) => {
      const info = await rpc.call('domainGetBlockInfo', { dom, path: disk, flags: 0 }, options)
      return { allocationBytes: info.allocation, capacityBytes: info.capacity, physicalBytes: info.physical }
    },

    /** Memory counters, KiB mostly, by name ('rss', 'actual-balloon'). */
    domainMemoryStats: async (dom: DomainRef, options?: CallOptions): Promise<Record<string, number>> => {
      const { stats } = await rpc.call('domainMemoryStats', { dom, maxStats: 64, flags: 0 }, options)
      return Object.fromEntries(stats.map(({ tag, val }) => [nameOf(memoryStatTags, tag), val]))
    },

    /** Limits of one disk, live. */
    domainSetBlockIoTune: async (dom: DomainRef, disk: string, tune: BlockIoTune, options?: CallOptions) => {
      const typed = Object.entries(tune).map(([name, value]) => [name, ['ullong', value]] as const)
      const params = toWire(Object.fromEntries(typed) as Record<string, ['ullong', number]>)
      await rpc.call('domainSetBlockIoTune', { dom, disk, params, flags: 1 }, options)
    },
  }
}
