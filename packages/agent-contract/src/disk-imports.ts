import { choice, flag, integer, nullable, record, text, type Shape } from './schema.ts'

/** Disks in buckets that become snapshots: walrus converts and cuts them, a storage controller gathers their blocks. */

const cause = { requestId: nullable(text()), traceparent: nullable(text({ maxLength: 64 })) }

export const diskFormatSchema = choice('raw', 'qcow2', 'vmdk', 'vhd', 'vhdx', 'ova')

/**
 * Item kind `disk-import`, for walrus: a disk of the account's own, in one object or in parts, whose blocks it is to write
 * under the staging prefix of a snapshot as a client would. With `remove` nothing that it wrote is to be left.
 */
export const diskImportItemSchema = record(
  {
    snapshotId: text({ pattern: '^snap-[0-9a-f]{17}$' }),
    accountId: text(),
    format: diskFormatSchema,
    bucket: text(),
    /** The object; of a disk in parts, its manifest as EC2's older tools write it. */
    key: text(),
    inParts: flag(),
    /** Bytes of the largest disk that is taken. */
    mostBytes: integer(1),
    remove: flag(),
  },
  cause,
)
export type DiskImportItem = Shape<typeof diskImportItemSchema>

/**
 * - `converting`: see `progress`;
 * - `staged`: every block that is not zeros is written;
 * - `failed`: see `message`, a sentence for the customer; nothing of it is left;
 * - `gone`: nothing of it is left, as was asked.
 */
export const diskImportFactsSchema = record({
  state: choice('converting', 'staged', 'failed', 'gone'),
  /** Percent. */
  progress: integer(0, 100),
  message: nullable(text()),
  /** Of the disk, unpacked; null until it is known. */
  diskBytes: nullable(integer()),
  /** Blocks that were written. */
  blocks: integer(),
})
export type DiskImportFacts = Shape<typeof diskImportFactsSchema>
