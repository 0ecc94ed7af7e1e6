/**
 * What a backend of volumes can do. Verbs are idempotent; every file appears whole under its name or not at all. Ids are
 * those of EC2 and are checked by whoever calls.
 */
export interface BlockDriver {
  readonly name: string
  /** Size in bytes; null where there is no such volume. */
  volumeSize(volumeId: string): Promise<number | null>
  /** Zeros, or what a snapshot that `canClone` holds, and zeros after it. */
  createVolume(volumeId: string, sizeBytes: number, fromSnapshot: string | null): Promise<void>
  /** Makes it larger; what is new is zeros. */
  growVolume(volumeId: string, sizeBytes: number): Promise<void>
  removeVolume(volumeId: string): Promise<void>
  hasSnapshot(snapshotId: string): Promise<boolean>
  /** Whether `createVolume` may make the volume of the snapshot: it is here, and is encrypted as the volume is to be. */
  canClone(snapshotId: string, volumeId: string): Promise<boolean>
  /** The volume as it is at this moment. */
  takeSnapshot(snapshotId: string, volumeId: string): Promise<void>
  removeSnapshot(snapshotId: string): Promise<void>
  /** What is written into it, block by block; blocks that are not listed hold zeros. */
  extents(what: VolumeOrSnapshot): Promise<Extent[]>
  /**
   * Where a snapshot may differ from an earlier one; null where only the places of both tell. Left out by drivers whose
   * extents have places.
   */
  changedSince?(snapshotId: string, before: string): Promise<Extent[] | null>
  read(what: VolumeOrSnapshot, offset: number, length: number): Promise<Buffer>
  /** Of a volume that is being restored and that nobody has yet. */
  openForRestore(volumeId: string, sizeBytes: number): Promise<RestoreTarget>
  /** What the target daemon is to open. */
  exportedPath(volumeId: string): string
  space(): Promise<{ totalBytes: number; freeBytes: number }>
  inventory(): Promise<{ volumes: FoundFile[]; snapshots: FoundFile[]; unfinished: FoundFile[] }>
  /** A file that the inventory named as unfinished. */
  removeUnfinished(name: string): Promise<void>
}

export type VolumeOrSnapshot =
  | { readonly volumeId: string; readonly snapshotId?: never }
  | { readonly snapshotId: string; readonly volumeId?: never }

/** A run of bytes, and where they lie: two files that name the same place share the bytes. */
export interface Extent {
  readonly offset: number
  readonly length: number
  /** Byte on the device; null where it cannot be told. */
  readonly place: number | null
}

export interface FoundFile {
  readonly id: string
  readonly changedAtMs: number
}

export interface RestoreTarget {
  write(bytes: Uint8Array, offset: number): Promise<void>
  /** The volume is there from now on. */
  finish(): Promise<void>
  /** Nothing of it stays. */
  abandon(): Promise<void>
}

export const volumeIdForm = /^vol-[0-9a-f]{8,17}$/
export const snapshotIdForm = /^snap-[0-9a-f]{8,17}$/
