import type { DomainItem, GuestInterface } from '@mallee/agent-contract'
import type { NetworkPort } from '../drivers/network/driver.ts'

/** Makes ready what a domain needs besides its network, and removes it. Every verb may be run again. */
export interface GuestPreparer {
  /**
   * Images, disk and XML; answers the domain XML that libvirt is to be given, hooks included. Throws a fatal error for
   * what cannot succeed, a passing one for what may.
   */
  prepare(item: DomainItem, ports: readonly NetworkPort[], signal: AbortSignal): Promise<string>
  /** The `<interface>` of one that is plugged into the running domain, through the admin's stylesheet and transforms. */
  interfaceXml(item: DomainItem, entry: GuestInterface, port: NetworkPort): Promise<string>
  /** The instance's own disk and its format; null where there is none. */
  disk(item: DomainItem): Promise<{ readonly file: string; readonly format: 'raw' | 'qcow2' } | null>
  /** What a preparation that takes long is at, in a sentence; null where there is nothing to say. */
  progress?(item: DomainItem): string | null
  /** Whether the instance's disk is there. */
  hasDisk(item: DomainItem): Promise<boolean>
  /** Removes everything of the instance; asks the pre-clean hook first. */
  remove(item: DomainItem): Promise<void>
  /** The last bytes of the serial console. */
  readConsole(item: DomainItem, maxBytes: number): Promise<Buffer>
}
