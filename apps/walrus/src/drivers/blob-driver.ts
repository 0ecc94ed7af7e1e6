/**
 * The seam between walrus and the place where bytes lie. A blob is written once, never changed, and known by an opaque
 * id; which object it belongs to is the index's affair (DECISIONS 27).
 */
export interface Blob {
  readonly id: string
  readonly sizeBytes: number
  /** CRC-32C of each block of `blockBytes`, four bytes each, big-endian, in order. */
  readonly blockCrcs: Uint8Array
  /** All of them, where they are kept in the index and not by the driver. */
  readonly bytes?: Uint8Array | null
}

export const blockBytes = 1024 * 1024

export interface BlobWriter {
  /**
   * Takes the bytes; resolves when more may come. The buffer may not be changed afterwards. `given`: nobody else will look
   * at it again, and its memory may be given back when it is written.
   */
  write(chunk: Buffer, given?: boolean): Promise<void>
  /** Durable under its id when it resolves; null where nothing was written. */
  finish(): Promise<Blob | null>
  /** Leaves nothing behind; after `finish` it does nothing. */
  discard(): Promise<void>
}

export interface Space {
  readonly totalBytes: number
  readonly freeBytes: number
}

export interface ReadHow {
  readonly reuse?: boolean
}

export interface BlobDriver {
  readonly name: string
  /** Throws an error with code ENOSPC when there is no room. */
  create(): Promise<BlobWriter>
  /**
   * The bytes from `start` to before `end`, in pieces of at most a block, each checked before it is given. Throws
   * MalleeError `BlobDamaged` or `BlobMissing`. `reuse`: a piece is the reader's until it asks for the next one.
   */
  read(blob: Blob, start: number, end: number, how?: ReadHow): AsyncGenerator<Buffer, void, void>
  /** Harmless where there is no such blob. */
  remove(id: string): Promise<void>
  /** Every blob that exists, in no order. */
  list(): AsyncIterable<string>
  /** When the bytes came to be, in milliseconds; null where there is no such blob. */
  changedAtMs(id: string): Promise<number | null>
  /** What was begun, is no longer being written and was never finished. */
  listUnfinished(): Promise<{ id: string; changedAtMs: number }[]>
  /** Harmless where there is none; never one that is being written. */
  removeUnfinished(id: string): Promise<void>
  space(): Promise<Space>
}
