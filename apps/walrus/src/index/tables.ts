import type { Kysely } from 'kysely'
import type { StateStore, StoreTransaction } from '@mallee/state-store'

/** Walrus' index. Sizes in bytes, times in milliseconds since the epoch. */
export interface BucketTable {
  name: string
  account_id: string
  canonical_id: string
  account_name: string
  created_at: number
}

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
}

/** The bytes of an object in order; one for a plain object, one for each part of a multipart one. */
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

export interface IndexTables {
  bucket: BucketTable
  object: ObjectTable
  segment: SegmentTable
  blob: BlobTable
  upload: UploadTable
  part: PartTable
}

export type Index = StateStore<IndexTables>
export type Reader = Kysely<IndexTables>
export type Tx = StoreTransaction<IndexTables>
