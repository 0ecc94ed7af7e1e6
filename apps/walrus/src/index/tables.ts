import type { Generated, Kysely } from 'kysely'
import type { StateStore, StoreTransaction } from '@mallee/state-store'

/** Walrus' index. Sizes in bytes, times in milliseconds since the epoch. */
export interface BucketTable {
  name: string
  account_id: string
  canonical_id: string
  account_name: string
  created_at: number
  /** JSON of `BucketSettings`. */
  settings: string
}

/** One version of a key; the current one, or the only one there ever was. */
export interface ObjectTable {
  bucket: string
  key: string
  /** Of this very content: overwriting a key makes a new one. */
  id: string
  size: number
  /** Without quotes. */
  etag: string
  modified_at: number
  /** JSON of `ObjectHeaders`. */
  headers: string
  /** JSON of the user's metadata, names in lower case. */
  metadata: string
  checksum_name: string | null
  /** Base64, with `-N` where it is one of N parts' checksums. */
  checksum_value: string | null
  checksum_type: string | null
  /** The multipart upload that it came from, so that repeating its completion is harmless. */
  upload_id: string | null
  /** `null`, in letters, where it was written while its bucket kept no versions. */
  version_id: string
  /** Grows from one version of a key to the next. */
  seq: number
  /** The account that owns it; null: the bucket's. */
  owner_account: string | null
  owner_id: string | null
  owner_name: string | null
  /** JSON of grants; null: nobody but the owner. */
  acl: string | null
  /** JSON of tags; null: none. */
  tags: string | null
  /** `GOVERNANCE` or `COMPLIANCE`. */
  lock_mode: string | null
  lock_until: number | null
  /** 1 while nobody may delete it. */
  legal_hold: number
  /** JSON of `Encryption`; null: as it came. */
  sse: string | null
}

/** A version that is not the current one, or a delete marker: then it has no bytes. */
export interface PastTable extends ObjectTable {
  marker: number
}

/** The bytes of a version in order; one for a plain object, one for each part of a multipart one. */
export interface SegmentTable {
  object_id: string
  position: number
  blob_id: string | null
  size: number
}

export interface BlobTable {
  id: string
  size: number
  block_crcs: Uint8Array
  /** JSON of `BlobCipher` where the bytes on disk are encrypted. */
  cipher: string | null
  /** The cipher's tags, 16 bytes a block. */
  block_tags: Uint8Array | null
  /** All of them, where they are so few that they are kept here. */
  bytes: Uint8Array | null
}

export interface UploadTable {
  /** Grows with time, so that uploads of one key are listed in the order they began. */
  id: string
  bucket: string
  key: string
  started_at: number
  headers: string
  metadata: string
  checksum_name: string | null
  checksum_type: string | null
  /** JSON of `VersionAttributes`: what the object will have beside its bytes. */
  attributes: string
}

export interface PartTable {
  upload_id: string
  number: number
  blob_id: string | null
  size: number
  etag: string
  modified_at: number
  checksum_name: string | null
  checksum_value: string | null
}

/** An event on its way to a webhook. */
export interface EventDeliveryTable {
  id: Generated<number>
  bucket: string
  /** By its name in the settings. */
  webhook: string
  body: string
  attempts: number
  next_at: number
}

/** One row: where the scrub is. */
export interface ScrubTable {
  id: number
  /** The last blob that was read in this round. */
  after: string
  began_at: number
  /** Null while the round goes on. */
  ended_at: number | null
}

/** A blob whose bytes are not what was written. */
export interface DamageTable {
  blob_id: string
  found_at: number
  reason: string
}

/** What a bucket holds; triggers keep it (migration 0005). */
export interface UsageTable {
  bucket: string
  objects: number
  bytes: number
  /** Versions that are not what their key holds now. */
  versions: number
  version_bytes: number
  markers: number
  /** Begun, and neither completed nor given up. */
  uploads: number
  part_bytes: number
}

/** A snapshot of which a client has written blocks. */
export interface StagingTable {
  snapshot_id: string
  written_at: number
  /** Percent, as the client says. */
  progress: number
}

/** A call that the cloud has not kept yet. */
export interface AuditLineTable {
  /** Rises by one, also where lines were taken away. */
  sequence: Generated<number>
  /** JSON of the contract's line, without its sequence. */
  body: string
}

export interface IndexTables {
  bucket: BucketTable
  object: ObjectTable
  past: PastTable
  segment: SegmentTable
  blob: BlobTable
  upload: UploadTable
  part: PartTable
  event_delivery: EventDeliveryTable
  scrub: ScrubTable
  damage: DamageTable
  usage: UsageTable
  staging: StagingTable
  audit_line: AuditLineTable
}

export type Index = StateStore<IndexTables>
export type Reader = Kysely<IndexTables>
export type Tx = StoreTransaction<IndexTables>
