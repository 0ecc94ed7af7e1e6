import type { AttachmentState, SnapshotState, VolumeState } from '@mallee/lifecycles'
import type { Bit } from './tables.ts'

/** The tables of block devices: volumes, what connects them to instances, and snapshots. */

export interface VolumeTable {
  id: string
  account_id: string
  availability_zone: string
  /** The storage controller that holds it. */
  storage_id: string
  size_gib: number
  type: VolumeType
  iops: number | null
  /** MiB a second. */
  throughput: number | null
  snapshot_id: string | null
  /** Of what it was made of; null: its own id. */
  lineage: string | null
  state: VolumeState
  state_reason: string | null
  state_changed_at: number
  auto_enable_io: Bit
  created_at: number
  request_id: string | null
  trace_parent: string | null
  observed_state: 'creating' | 'available' | 'failed' | 'gone' | null
  observed_size_bytes: number | null
  hydrated_percent: number | null
  observed_message: string | null
  /** ARN of the key that it is encrypted under; null where it is plain. */
  kms_key_id: string | null
  /** Its data key, wrapped by the keyring, bound to the id. */
  sealed_key: string | null
}

/** What an account says of encryption, and the key of its encrypted snapshots. */
export interface EbsEncryptionTable {
  account_id: string
  /** A UUID; never changes. */
  key_id: string
  /** Of what walrus holds of encrypted snapshots; wrapped by the keyring, bound to the account. */
  sealed_secret: string
  by_default: Bit
}

export const volumeTypes = ['standard', 'gp2', 'gp3', 'io1', 'io2', 'st1', 'sc1'] as const
export type VolumeType = (typeof volumeTypes)[number]

/** A volume that an instance has; there is no row when it has it no longer. */
export interface VolumeAttachmentTable {
  id: string
  account_id: string
  volume_id: string
  instance_id: string
  /** As the customer named it. */
  device: string
  is_root: Bit
  delete_on_termination: Bit
  state: AttachmentState
  /** Whether it is to be taken away without asking the guest. */
  forced: Bit
  attached_at: number
  /** How many exports were made for it: each start of the instance has its own. */
  exports: number
  /** Why it could not be plugged in, or is not given back. */
  message: string | null
}

/** A target of one volume for one start of one instance: its writer generation. */
export interface VolumeExportTable {
  id: string
  attachment_id: string
  volume_id: string
  storage_id: string
  node_id: string
  iqn: string
  initiator_iqn: string
  chap_user: string
  /** Wrapped by the keyring, bound to the id. */
  sealed_secret: string
  withdrawn: Bit
  created_at: number
  observed_state: 'preparing' | 'ready' | 'failed' | 'gone' | null
  observed_message: string | null
  /** JSON of the contract's portal. */
  portal: string | null
}

export interface VolumeModificationTable {
  volume_id: string
  account_id: string
  state: 'modifying' | 'completed' | 'failed'
  message: string | null
  started_at: number
  ended_at: number | null
  original_size: number
  original_type: VolumeType
  original_iops: number | null
  original_throughput: number | null
  target_size: number
  target_type: VolumeType
  target_iops: number | null
  target_throughput: number | null
}

export interface SnapshotTable {
  id: string
  account_id: string
  /** Of a copy, that of what it is a copy of: a volume that may be another account's, or gone. */
  volume_id: string
  storage_id: string
  size_gib: number
  description: string
  state: SnapshotState
  state_message: string | null
  progress: number
  taken: Bit
  started_at: number
  completed_at: number | null
  /** Of a copy, the index that it is made from, as JSON of the contract's shape. */
  source_index: string | null
  /** JSON of the contract's shape; null until it is completed. */
  index_object: string | null
  stored_bytes: number | null
  is_public: Bit
  /** Snapshots of one lineage may be compared; null: that of its volume's id. */
  lineage: string | null
  /** Of one that a client writes, what it is on top of. */
  parent_snapshot_id: string | null
  /** JSON of the contract's shape. */
  parent_index: string | null
  /** What walrus is to do with the blocks that a client writes; null where it is written by none. */
  staging: 'open' | 'sealed' | 'remove' | 'gone' | null
  /** What walrus does. */
  staging_observed: 'open' | 'sealed' | 'gone' | null
  timeout_minutes: number | null
  /** When a block was last written. */
  written_at: number | null
  /** As CompleteSnapshot said. */
  written_count: number | null
  /** Base64. */
  written_checksum: string | null
  /** Whether its storage controller may still hold something of it. */
  present: Bit
  request_id: string | null
  trace_parent: string | null
  /** ARN of the key that it is encrypted under; null where it is plain. */
  kms_key_id: string | null
  /** The data key of the volume that it was taken of, wrapped by the keyring, bound to the id; null of a copy. */
  sealed_key: string | null
}

export interface SnapshotPermissionTable {
  snapshot_id: string
  account_id: string
}

/** One block device that instances of an image get. */
export interface ImageBlockDeviceTable {
  image_id: string
  device: string
  ordinal: number
  /** `ephemeral0`; null where it is a volume. */
  virtual_name: string | null
  snapshot_id: string | null
  size_gib: number | null
  type: VolumeType | null
  iops: number | null
  throughput: number | null
  delete_on_termination: Bit
  /** Whether instances get the volume encrypted. */
  encrypted: Bit
}
