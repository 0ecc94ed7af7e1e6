import type { PlacementPolicy } from './scheduler/judge-node.ts'

/** What is the same for the whole cloud and does not change while it runs. */
export interface CloudSettings {
  readonly region: string
  readonly availabilityZones: readonly string[]
  /** CIDR from which instances are lent public addresses. */
  readonly publicPool: string
  readonly placementPolicy: PlacementPolicy
  /** The administrators' account. */
  readonly adminAccountName: string
  /** Where clients reach the public door, for DescribeRegions. */
  readonly endpoint: string
  /** Seconds that a poll is held; an agent that misses three is silent. */
  readonly pollSeconds: number
  /** How long a terminated instance is still described, in milliseconds. */
  readonly terminatedVisibleMs: number
  /** Whether new instances demand IMDSv2 tokens unless told otherwise. */
  readonly metadataTokensRequired: boolean
  /** Whether every account's keys may sign by Signature Version 2; else only those that an administrator let. */
  readonly legacySignatures: boolean
  /** The largest disk that is made of a bundle or an import, in GiB. */
  readonly maxImageGiB: number
}

export const adminAccountName = 'mallee'
