import type { FileHandle } from 'node:fs/promises'

/** Bytes of a disk's file by their place. */
export interface DiskReader {
  readonly sizeBytes: number
  /** As many as there are, at most so many. */
  read(at: number, lengthBytes: number): Promise<Buffer>
}

export async function diskReader(handle: FileHandle): Promise<DiskReader> {
  const { size } = await handle.stat()
  return {
    sizeBytes: size,
    async read(at, lengthBytes) {
      const buffer = Buffer.alloc(Math.max(0, Math.min(lengthBytes, size - at)))
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
      return buffer.subarray(0, bytesRead)
    },
  }
}
