import { choice, flag, integer, list, longText, nullable, record, text, type Shape } from './schema.ts'

/**
 * A synchronous read of what really is on an agent's host. The cloud calls nobody: it raises `count` in the agent's
 * `inventory` item, and the agent answers with a blob of that count (DECISIONS 16). Agents only say what they find,
 * with the owner that their own set names for it; what is an orphan is judged in the cloud.
 */
export const inventoryKinds = [
  /** A domain of ours in the hypervisor; id and owner are the instance's id. */
  'domain',
  /** A QEMU process of ours; id is `NAME pid N`, owner the instance's id. */
  'process',
  /** An instance's folder with its disk; id is the path below the folder of instances, owner the instance's id. */
  'instance-files',
  /** A file that was not finished; id is its path below the agent's folders. */
  'temporary-file',
  /** Owner is the interface's id. */
  'tap',
  /** Owner is the subnet's id. */
  'bridge',
  /** Owner is the VPC's id. */
  'router',
  /** A DHCP server's folder; owner is the subnet's id. */
  'dhcp',
  /** A tap's name in the firewall's sets; owner is the interface's id. */
  'firewall-port',
  /** An image in the cache of a node; id is its file name, which begins with the digest. */
  'cached-image',
  /** Bytes in walrus that no row of its index names. */
  'blob',
  /** A row of walrus' index whose bytes are not on the disk: something that was acknowledged is lost. */
  'blob-row',
  /** A volume's file on a storage controller; owner is the volume's id. */
  'volume-file',
  /** What was kept of a volume for a snapshot; owner is the snapshot's id. */
  'snapshot-file',
  /** An iSCSI target; id is its name, owner the attachment's id. */
  'target',
  /** A block or an index of snapshots in walrus that no snapshot of this storage controller uses. */
  'snapshot-object',
  /** Blocks in walrus that a client wrote of a snapshot; id and owner are the snapshot's id. */
  'staged-snapshot',
  /** An object that is an image of the set; state is `present` or `missing`. */
  'image-object',
] as const
export type InventoryKind = (typeof inventoryKinds)[number]

export const inventoryEntrySchema = record({
  kind: choice(...inventoryKinds),
  id: text(),
  /** By the agent's own desired set; null where it declares nothing of the kind. */
  owner: nullable(text()),
  state: nullable(text()),
  /** When it last changed, where that is known. */
  changedAtMs: nullable(integer()),
})
export type InventoryEntry = Shape<typeof inventoryEntrySchema>

/** Something that the agent is to remove, named as its inventory named it. */
export const inventoryRemovalSchema = record({ kind: choice(...inventoryKinds), id: text() })
export type InventoryRemoval = Shape<typeof inventoryRemovalSchema>

/** Item kind `inventory`: answered once for each count; removals are carried out before the look. */
export const inventoryItemSchema = record({
  count: integer(1),
  removals: list(inventoryRemovalSchema, 10_000),
})
export type InventoryItem = Shape<typeof inventoryItemSchema>

export const inventoryBlobSchema = record({
  /** The item's `count` that this answers. */
  count: integer(1),
  takenAtMs: integer(),
  entries: list(inventoryEntrySchema, 500_000),
  /** What came of each removal; `reason` where it was not done. */
  removals: list(
    record({ kind: choice(...inventoryKinds), id: text(), done: flag(), reason: nullable(text()) }),
    10_000,
  ),
  /** What could not be looked at, and why. */
  problems: list(longText(4096), 100),
})
export type InventoryBlob = Shape<typeof inventoryBlobSchema>
