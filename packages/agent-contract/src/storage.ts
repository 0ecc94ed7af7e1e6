import { choice, flag, integer, list, nullable, record, text, type Shape } from './schema.ts'

/** Items and facts of storage controllers: volumes, their exports to nodes, and snapshots. */

const cause = { requestId: nullable(text()), traceparent: nullable(text({ maxLength: 64 })) }

/** An object in walrus that lists, block by block, what a snapshot consists of. */
export const snapshotIndexSchema = record({
  bucket: text(),
  key: text(),
  sha256: text({ pattern: '^[0-9a-f]{64}$' }),
  sizeBytes: integer(),
})
export type SnapshotIndex = Shape<typeof snapshotIndexSchema>

/** The key under which an account's encrypted snapshots lie in walrus. The secret is sealed in the record. */
export const snapshotKeySchema = record({ id: text(), secret: text() })
export type SnapshotKeyItem = Shape<typeof snapshotKeySchema>

/**
 * Item kind `volume`: a block device that the storage controller holds. `sizeBytes` may grow and never shrinks. With
 * `remove` it is to leave nothing behind, and says `gone` when it has.
 */
export const volumeItemSchema = record(
  {
    volumeId: text(),
    accountId: text(),
    sizeBytes: integer(512),
    /** What it holds at first: zeros, or a snapshot's blocks and zeros after them. */
    source: nullable(
      record({ snapshotId: text(), index: snapshotIndexSchema }, { snapshotKey: snapshotKeySchema }),
    ),
    remove: flag(),
  },
  // With `dataKey` its files are encrypted under it. With a source's `snapshotKey` the blocks in walrus are.
  { ...cause, dataKey: text() },
)
export type VolumeItem = Shape<typeof volumeItemSchema>

/**
 * - `creating`: not to be used yet;
 * - `available`: may be exported and holds what it should (a restore may go on behind);
 * - `failed`: it cannot be made, see `message`; nothing of it is left;
 * - `gone`: nothing of it is left, as was asked.
 */
export const volumeFactsSchema = record({
  state: choice('creating', 'available', 'failed', 'gone'),
  message: nullable(text()),
  /** As it is now: smaller than the item's while it has still to grow. */
  sizeBytes: integer(),
  /** Percent of a restore from a snapshot; 100 where there is nothing to restore. */
  hydratedPercent: integer(0, 100),
})
export type VolumeFacts = Shape<typeof volumeFactsSchema>

/**
 * Item kind `export`: one volume to one initiator, for one attachment. Name and secret were made for it and are never
 * used again. The secret is sealed in the record. With `withdraw` nobody may reach the volume by it any more; `gone`
 * is said only when no session is left and the target is no more.
 */
export const exportItemSchema = record(
  {
    attachmentId: text(),
    volumeId: text(),
    /** Of the target. */
    iqn: text({ pattern: '^iqn\\.[0-9a-z.:-]{1,200}$' }),
    /** The only initiator that may log in. */
    initiatorIqn: text({ pattern: '^iqn\\.[0-9a-z.:-]{1,200}$' }),
    chapUser: text({ pattern: '^[0-9A-Za-z]{1,64}$' }),
    chapSecret: text(),
    withdraw: flag(),
  },
  cause,
)
export type ExportItem = Shape<typeof exportItemSchema>

/** Where a target is reached. Without a host: where the cloud controller is, under whatever name the node has for it. */
export const portalSchema = record({ host: nullable(text()), port: integer(1, 65_535) })
export type Portal = Shape<typeof portalSchema>

export const exportFactsSchema = record({
  state: choice('preparing', 'ready', 'failed', 'gone'),
  message: nullable(text()),
  portal: nullable(portalSchema),
})
export type ExportFacts = Shape<typeof exportFactsSchema>

/** Blocks that a client wrote of a snapshot, and what it said of them when it was done. */
export const writtenBlocksSchema = record({
  /** Of the keys under which walrus keeps them. */
  prefix: text({ pattern: '^direct/snap-[0-9a-f]{17}/$' }),
  /** What the blocks that were not written are; null: zeros. */
  parent: nullable(snapshotIndexSchema),
  changedBlocksCount: integer(),
  /** Base64 of the SHA-256 over all checksums in order; null where it said none. */
  checksum: nullable(text({ maxLength: 64 })),
})
export type WrittenBlocks = Shape<typeof writtenBlocksSchema>

/**
 * Item kind `snapshot`: the volume as it was when the item was first seen, to be kept in walrus. With `copyOf` it is the
 * same blocks as another snapshot's, whatever becomes of that; with `written`, the blocks that a client wrote. With
 * `snapshotKey` its blocks are encrypted under it (also those of a copy of plain ones); `dataKey` is that of the encrypted
 * volume.
 */
export const snapshotItemSchema = record(
  {
    snapshotId: text(),
    accountId: text(),
    volumeId: text(),
    sizeBytes: integer(512),
    remove: flag(),
  },
  {
    ...cause,
    copyOf: snapshotIndexSchema,
    written: writtenBlocksSchema,
    snapshotKey: snapshotKeySchema,
    dataKey: text(),
  },
)
export type SnapshotItem = Shape<typeof snapshotItemSchema>

/**
 * - `pending`: see `progress`; once `taken` is true, writes to the volume are no longer part of it;
 * - `completed`: every block is in walrus, as `index` lists;
 * - `failed`: see `message`; nothing of it is left;
 * - `gone`: nothing of it is left, as was asked.
 */
export const snapshotFactsSchema = record({
  state: choice('pending', 'completed', 'failed', 'gone'),
  taken: flag(),
  /** Percent. */
  progress: integer(0, 100),
  message: nullable(text()),
  index: nullable(snapshotIndexSchema),
  /** What was new and had to be stored for it, compressed. */
  storedBytes: integer(),
})
export type SnapshotFacts = Shape<typeof snapshotFactsSchema>

/**
 * Item kind `readable-snapshot`, for walrus, which gives out and takes the blocks of snapshots: of each that is complete,
 * and of each that a client writes. `staging` of one that is or was written:
 * - `open`: blocks are taken;
 * - `sealed`: none are any more, and those that were taken are being gathered;
 * - `remove`: they are to go.
 */
export const readableSnapshotItemSchema = record(
  {
    snapshotId: text({ pattern: '^snap-[0-9a-f]{17}$' }),
    accountId: text(),
    /** Accounts that may read it. */
    sharedWith: list(text()),
    isPublic: flag(),
    /** The same for all snapshots that may be compared. */
    lineage: text(),
    sizeBytes: integer(512),
    /** Null until it is complete. */
    index: nullable(snapshotIndexSchema),
    staging: nullable(choice('open', 'sealed', 'remove')),
  },
  {
    ...cause,
    /** Where its blocks are encrypted. */
    snapshotKey: snapshotKeySchema,
  },
)
export type ReadableSnapshotItem = Shape<typeof readableSnapshotItemSchema>

/** How far walrus is with `staging`; `gone`: no block that was written is left in it, as was asked. */
export const readableSnapshotFactsSchema = record({
  staging: choice('open', 'sealed', 'gone'),
  /** Percent, as its client says. */
  progress: integer(0, 100),
  /** Null where nothing was written. */
  lastWrittenAtMs: nullable(integer()),
})
export type ReadableSnapshotFacts = Shape<typeof readableSnapshotFactsSchema>

/**
 * Item kind `connection`, for nodes: how a volume of one of its instances is reached. The domain item names it by its
 * attachment. The secret is sealed in the record.
 */
export const connectionItemSchema = record(
  {
    attachmentId: text(),
    volumeId: text(),
    instanceId: text(),
    iqn: text(),
    initiatorIqn: text(),
    portal: portalSchema,
    chapUser: text(),
    chapSecret: text(),
  },
  cause,
)
export type ConnectionItem = Shape<typeof connectionItemSchema>

/** A volume as its instance has it. */
export const attachedVolumeSchema = record({
  attachmentId: text(),
  volumeId: text(),
  /** As the customer named it, with `/dev/`. */
  device: text(),
  /** Whether the instance boots from it. */
  root: flag(),
  sizeBytes: integer(512),
  /** The most that its QoS class admits, reads and writes together; 0: as many as there are. */
  iops: integer(),
  /** Likewise, bytes a second. */
  bytesPerSecond: integer(),
})
export type AttachedVolume = Shape<typeof attachedVolumeSchema>

/** How it is with a volume of a domain. A volume that is not listed is not plugged in. */
export const attachedFactsSchema = record({
  attachmentId: text(),
  state: choice('attaching', 'attached', 'detaching', 'failed'),
  message: nullable(text()),
  sizeBytes: nullable(integer()),
})
export type AttachedFacts = Shape<typeof attachedFactsSchema>

export const storageFingerprintSchema = record(
  {
    driver: text(),
    totalBytes: integer(),
    freeBytes: integer(),
    healthy: flag(),
    problems: list(text(), 100),
  },
  // Whether it can hold encrypted volumes; who does not say so would make plain ones of them.
  { encrypts: flag() },
)
export type StorageFingerprint = Shape<typeof storageFingerprintSchema>
