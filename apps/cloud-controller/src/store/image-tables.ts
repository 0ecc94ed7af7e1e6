import type { ImageState } from '@mallee/lifecycles'
import type { Bit } from './tables.ts'

/** The tables of images, and of what they are made of. */

export interface ImageTable {
  id: string
  account_id: string
  kind: 'machine' | 'kernel' | 'ramdisk'
  name: string | null
  description: string | null
  bucket: string
  object_key: string
  state: ImageState
  state_reason: string | null
  architecture: 'x86_64' | 'arm64' | 'i386'
  root_device_name: string
  kernel_id: string | null
  ramdisk_id: string | null
  is_public: Bit
  format: 'raw' | 'qcow2' | 'kernel' | 'ramdisk' | null
  size_bytes: number | null
  virtual_size_bytes: number | null
  sha256: string | null
  created_at: number
  /** Of the request that last moved it; null where none is known. */
  request_id: string | null
  /** W3C trace context of that request. */
  trace_parent: string | null
  /** From when on only its owner finds it without asking; null for never. */
  deprecated_at: number | null
  /** Disabled by its owner: kept and described on request, never launched. */
  disabled: Bit
  /** Of a copy, the image that it was made from. */
  source_image_id: string | null
  /** Of a machine image, whether its bytes are a whole disk or one root file system; null until inspected. */
  layout: 'disk' | 'partition' | null
  /** Where walrus makes the object itself, of what; null where it was uploaded, or is a copy. */
  origin: 'bundle' | 'import' | null
  /** Of the bundle's manifest, or of the disk. */
  origin_bucket: string | null
  origin_key: string | null
  /** Of an import's disk. */
  origin_format: 'raw' | 'qcow2' | 'vmdk' | 'vhd' | 'vhdx' | 'ova' | null
  /** What its owner says of its drivers: `simple`, or nothing. All network cards here are virtio. */
  sriov_net_support: 'simple' | null
  /** Percent of what walrus does with it while it is pending; null where nothing was said. */
  progress: number | null
  /** Whether walrus may hold an object that it made; it is told to remove it before the image is forgotten there. */
  has_disk: Bit
  /** `ebs`: it boots from a snapshot, see its block devices; bucket and key are then empty. */
  root_device_type: 'instance-store' | 'ebs'
  /** Of an image made by CreateImage. */
  source_instance_id: string | null
  /**
   * Of one that is made of an instance, or copied: `shutdown` while its instance is shut down for it, `freeze` until
   * every volume's moment is fixed, `upload` until every snapshot is whole. Null of all others, and when it is done.
   */
  create_phase: 'shutdown' | 'freeze' | 'upload' | null
}

/** Accounts other than the owner's that may launch an image; `is_public` stands for all of them. */
export interface ImagePermissionTable {
  image_id: string
  account_id: string
}

/** The key pair that bundles are encrypted for; one row. */
export interface BundlingKeyTable {
  name: string
  /** PEM. */
  certificate: string
  /** Wrapped by the keyring. */
  sealed_key: string
  created_at: number
}

/** A manifest that an action asked walrus about, kept for a moment. */
export interface ManifestTable {
  id: string
  account_id: string
  bucket: string
  object_key: string
  created_at: number
  /** JSON of the contract's facts; null until walrus has answered. */
  facts: string | null
}

/** An ImportImage; how far it is says its image. */
export interface ImportTaskTable {
  id: string
  account_id: string
  image_id: string
  description: string | null
  created_at: number
  cancelled_at: number | null
  cancel_reason: string | null
}

/** A BundleInstance. */
export interface BundleTaskTable {
  id: string
  account_id: string
  instance_id: string
  bucket: string
  prefix: string
  access_key_id: string
  /** Base64 of the policy's JSON, as it was signed. */
  upload_policy: string
  /** Wrapped by the keyring. */
  sealed_signature: string
  phase: 'waiting-for-shutdown' | 'bundling' | 'complete' | 'failed' | 'cancelled'
  /** Percent. */
  progress: number
  error_code: string | null
  error_message: string | null
  started_at: number
  updated_at: number
}
