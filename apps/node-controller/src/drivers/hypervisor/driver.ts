/**
 * What a hypervisor driver can do. Verbs are idempotent unless said otherwise; every call is bounded in time; a call
 * that timed out may still have taken effect, so the caller looks again. Domains are named by their instance id.
 */
export interface HypervisorDriver {
  /** Capacity and health; probes the accelerator by a trial and never by `/dev/kvm` alone (DECISIONS 26). */
  fingerprint(): Promise<HypervisorFingerprint>
  /** Every domain that the hypervisor has, ours or not. */
  list(): Promise<LiveDomain[]>
  /** Starts a transient domain from its XML, once: the caller has written its intent. Not idempotent. */
  start(xml: string): Promise<void>
  /** Asks the guest to power off (ACPI); returns at once. */
  shutdown(name: string): Promise<void>
  /** Asks the guest to reboot (ACPI); returns at once. */
  reboot(name: string): Promise<void>
  /** Resets the machine without asking the guest. */
  reset(name: string): Promise<void>
  /** Ends the domain. Success when there is none. */
  destroy(name: string): Promise<void>
  /** How a domain that is no more ended, from the hypervisor's own evidence; null where there is none. */
  ended(name: string): Promise<EndReason | null>
  /** Something happened to this domain: a hint to look again, never a fact. Returns the way to stop listening. */
  onHint(callback: (name: string | null) => void): () => void
  close(): Promise<void>
}

export type EndReason = 'shutdown' | 'crashed' | 'destroyed' | 'failed' | 'lost'

export interface LiveDomain {
  readonly name: string
  /** `ending` covers shutdown in progress and crashed: neither runs nor is gone. */
  readonly state: 'running' | 'paused' | 'ending'
}

export interface HypervisorFingerprint {
  readonly hypervisor: string
  readonly accelerator: 'kvm' | 'qemu' | 'simulated'
  readonly acceleratorReason: string
  readonly architecture: 'x86_64' | 'arm64' | 'i386'
  readonly vcpus: number
  readonly memoryMiB: number
  readonly problems: readonly string[]
}
