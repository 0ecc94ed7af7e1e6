/**
 * What a hypervisor driver can do. Verbs are idempotent unless said otherwise; every call is bounded in time; a call
 * that timed out may still have taken effect, so the caller looks again. Domains are named by their instance id.
 */
export interface HypervisorDriver {
  /** Capacity and health; probes the accelerator by a trial and never by `/dev/kvm` alone (DECISIONS 26). */
  fingerprint(): Promise<HypervisorFingerprint>
  /** Every domain that the hypervisor has, ours or not. */
  list(): Promise<LiveDomain[]>
  /**
   * Starts a transient domain from its XML, once: the caller has written its intent. Not idempotent. Where a volume
   * could not be reached, it rejects with `neverRan`.
   */
  start(xml: string): Promise<void>
  /** Asks the guest to power off (ACPI); returns at once. */
  shutdown(name: string): Promise<void>
  /** Asks the guest to reboot (ACPI); returns at once. */
  reboot(name: string): Promise<void>
  /** Resets the machine without asking the guest. */
  reset(name: string): Promise<void>
  /** Ends the domain. Success when there is none. */
  destroy(name: string): Promise<void>
  /** Forgets a stored definition. Success when there is none; a domain that runs goes on. */
  undefine(name: string): Promise<void>
  /** How a domain that is no more ended, from the hypervisor's own evidence; null where there is none. */
  ended(name: string): Promise<EndReason | null>
  /** Everything of ours that is there, running or not; what others made on this machine is left out. */
  inventory(): Promise<HypervisorInventory>
  /** The screen of the guest as the hypervisor draws it; null where there is no such domain or it has no screen. */
  screenshot(name: string): Promise<Picture | null>
  /** What every domain used since its start. */
  counters(): Promise<GuestCounters[]>
  /** The disks of a domain that runs; none where there is no such domain. */
  disks(name: string): Promise<LiveDisk[]>
  /** Plugs a disk into a running domain, from its `<disk>` XML. Not idempotent: look first. */
  attachDisk(name: string, xml: string): Promise<void>
  /** Asks the guest to give a disk back; it is gone when `disks` no longer lists it. Success when there is none. */
  detachDisk(name: string, target: string): Promise<void>
  /** Tells the guest that a disk has grown. */
  resizeDisk(name: string, target: string, sizeBytes: number): Promise<void>
  /** The network interfaces of a domain that runs; none where there is no such domain. */
  interfaces(name: string): Promise<LiveInterface[]>
  /** Plugs an interface into a running domain, from its `<interface>` XML. Not idempotent: look first. */
  attachInterface(name: string, xml: string): Promise<void>
  /** Asks the guest to give an interface back; it is gone when `interfaces` no longer lists it. Success when there is none. */
  detachInterface(name: string, mac: string): Promise<void>
  /** Gives the hypervisor a password by its name, for as long as the hypervisor lives; never seen again. */
  setSecret(name: string, value: string): Promise<void>
  /** The names of all secrets that the hypervisor was given, ours or not. */
  listSecrets(): Promise<string[]>
  /** Success when there is none. */
  dropSecret(name: string): Promise<void>
  /** Something happened to this domain: a hint to look again, never a fact. Returns the way to stop listening. */
  onHint(callback: (name: string | null) => void): () => void
  close(): Promise<void>
}

export type EndReason = 'shutdown' | 'crashed' | 'destroyed' | 'failed' | 'lost'

export interface Picture {
  readonly mimeType: string
  readonly bytes: Buffer
}

export interface LiveDisk {
  /** Its name on the bus, `vdf`. */
  readonly target: string
  readonly serial: string | null
  /** A path, or for the network the name of what is reached: `iqn…/1`. */
  readonly source: string | null
  readonly sizeBytes: number | null
}

export interface LiveInterface {
  /** Lower case. */
  readonly mac: string
  /** Its link on the host. */
  readonly tap: string | null
}

/** Grows from the start of a domain on, and from nought again with the next incarnation. */
export interface GuestCounters {
  readonly name: string
  /** Nanoseconds, of all vCPUs. */
  readonly cpuNs: number
  readonly diskReadBytes: number
  readonly diskWriteBytes: number
  /** Received by the guest. */
  readonly networkInBytes: number
  readonly networkOutBytes: number
}

export interface LiveDomain {
  readonly name: string
  /** `ending` covers shutdown in progress and crashed: neither runs nor is gone. */
  readonly state: 'running' | 'paused' | 'ending'
}

export interface HypervisorInventory {
  readonly domains: readonly { readonly name: string; readonly state: LiveDomain['state'] | 'shutoff' }[]
  /** QEMU processes, whether the hypervisor knows of them or not. */
  readonly processes: readonly { readonly name: string; readonly pid: number }[]
}

/** How we name domains; one that is named so may still be somebody else's. */
export const domainName = /^i-[0-9a-f]{8,17}$/

export interface HypervisorFingerprint {
  readonly hypervisor: string
  readonly accelerator: 'kvm' | 'qemu' | 'simulated'
  readonly acceleratorReason: string
  readonly architecture: 'x86_64' | 'arm64' | 'i386'
  readonly vcpus: number
  readonly memoryMiB: number
  readonly problems: readonly string[]
}
