import type { VpcItem } from '@mallee/agent-contract'

/**
 * What a network driver can do. The desired network is applied as one whole: bridges, DHCP, rules and addresses of
 * every VPC at once, diffed against what stands and never flushed. Taps are made by the hypervisor when it starts a
 * domain, under the name that `port` gives; everything that speaks of a tap therefore stands before the tap does.
 */
export interface NetworkDriver {
  fingerprint(): Promise<{
    readonly network: string
    /** The node's own address on its uplink, by which other machines find its guests; null where there is none. */
    readonly address: string | null
    readonly problems: readonly string[]
  }>
  /** Makes the host's network as the items say. Idempotent; when it resolves, DHCP and rules are in force. */
  apply(network: readonly VpcItem[]): Promise<void>
  /** The bridge and tap of an interface; pure. Tap names fit IFNAMSIZ (15 characters). */
  port(vpc: VpcItem, interfaceId: string): NetworkPort
  /** The interface behind a source address of the metadata server: the tap decides, not the guest's claim. */
  askerAt(address: string): string | null
  /** Where the metadata server of this node must listen. */
  readonly metadataAddress: { readonly host: string; readonly port: number }
  /** What the interfaces here have sent and received since they came to this node; applying changes none of it. */
  bytes(): Promise<readonly InterfaceBytes[]>
  /**
   * Ends the window of time in which flows of captured interfaces were counted, hands over each that ended, and forgets it
   * when `keep` resolves; what was not kept comes again, also after a restart.
   */
  collectFlows(keep: (window: FlowWindow) => Promise<void>): Promise<void>
  /** Everything of ours that stands, each part with the owner that these items name for it. Changes nothing. */
  inventory(network: readonly VpcItem[]): Promise<readonly NetworkPart[]>
  /** Removes a part that these items do not own; rejects where they do, or where it is in use. */
  removeStray(part: Pick<NetworkPart, 'kind' | 'id'>, network: readonly VpcItem[]): Promise<void>
  /** Removes everything that `apply` made. */
  removeAll(): Promise<void>
  close(): Promise<void>
}

/**
 * Bytes of IP packets that passed the rules of both sides here. Inside is what stays within the VPC and those that it is
 * peered with, by private addresses, or goes to services of the cloud.
 */
export interface InterfaceBytes {
  readonly interfaceId: string
  readonly sent: { readonly inside: number; readonly outside: number }
  readonly received: { readonly inside: number; readonly outside: number }
}

/** What crossed the interfaces that flow logs cover, from one moment to another. */
export interface FlowWindow {
  readonly startMs: number
  readonly endMs: number
  readonly flows: readonly CountedFlow[]
  /** Interfaces of which not all flows could be counted. */
  readonly incomplete: readonly string[]
}

/** One direction of a flow, as that interface has it. */
export interface CountedFlow {
  readonly interfaceId: string
  readonly direction: 'ingress' | 'egress'
  readonly accepted: boolean
  /** IANA's number. */
  readonly protocol: number
  readonly source: string
  readonly destination: string
  /** Zero where the protocol has none. */
  readonly sourcePort: number
  readonly destinationPort: number
  readonly packets: number
  readonly bytes: number
  /** FIN 1, SYN 2, RST 4, SYN-ACK 18: the bits of all that were seen. */
  readonly tcpFlags: number
}

export interface NetworkPort {
  readonly bridge: string
  readonly tap: string
  /** Bytes; null leaves the guest's default. */
  readonly mtu: number | null
}

export interface NetworkPart {
  readonly kind: 'tap' | 'bridge' | 'router' | 'dhcp' | 'firewall-port'
  /** Its name on this host. */
  readonly id: string
  /** An interface's, a subnet's or a VPC's id; null for a stray. */
  readonly owner: string | null
}
