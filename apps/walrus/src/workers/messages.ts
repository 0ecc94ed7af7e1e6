/** What walrus' first process and its workers say to each other. */
import type { DesiredItem } from '@mallee/agent-contract'
import type { DoorTls, MetricsSnapshot } from '@mallee/service-kit'
import type { KnownIdentities } from '../identity/access-keys.ts'
import type { WalrusConfig } from '../config.ts'
import type { SnapshotChange, SnapshotDesired } from '../ebs/known-snapshots.ts'

/** What a worker must know to judge requests; all that it learns of the cloud. */
export interface Beliefs {
  readonly identities: KnownIdentities
  readonly images: readonly DesiredItem<'image-object'>[]
  readonly flowLogs: readonly DesiredItem<'flow-log'>[]
  readonly snapshots: readonly SnapshotDesired[]
}

/** With the first comes the claim of the data folder, which lasts as long as anybody holds it. */
export type ToWorker =
  | {
      readonly say: 'begin'
      readonly config: WalrusConfig
      readonly number: number
      readonly tag: string
      readonly beliefs: Beliefs
      readonly tls: DoorTls | null
    }
  /** Answered by `believed` with the same count. */
  | {
      readonly say: 'believe'
      readonly count: number
      /** Of snapshots, which may be many, only what became another. */
      readonly beliefs: Omit<Beliefs, 'snapshots'>
      readonly snapshots: SnapshotChange
    }
  | { readonly say: 'tls'; readonly tls: DoorTls }
  /** Of blobs that no row names any more: each is to be `released` as soon as nobody reads it. */
  | { readonly say: 'let go'; readonly ids: readonly string[] }
  | { readonly say: 'count' }
  | { readonly say: 'stop' }

export type ToFirst =
  /** It listens to what is said, and has not opened anything. */
  | { readonly say: 'here' }
  | { readonly say: 'serving'; readonly address: string }
  | { readonly say: 'believed'; readonly count: number }
  | { readonly say: 'released'; readonly ids: readonly string[] }
  /** Blobs that no row names any more. */
  | { readonly say: 'forget'; readonly ids: readonly string[] }
  | { readonly say: 'counted'; readonly figures: MetricsSnapshot }
  | { readonly say: 'events wait' }
