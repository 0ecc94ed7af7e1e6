import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { removeUnfinished, writeAtomically } from '@mallee/base'
import { decodeIndex, encodeIndex, type SnapshotBlocks } from '@mallee/volume-snapshots'

/** The lists of this controller's own snapshots, as they lie in walrus, kept here for counting and comparing. */
export class LocalIndexes {
  private readonly dir: string

  private constructor(dir: string) {
    this.dir = dir
  }

  static async open(dir: string): Promise<LocalIndexes> {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await removeUnfinished(dir)
    return new LocalIndexes(dir)
  }

  async list(): Promise<string[]> {
    return (await readdir(this.dir)).map((name) => name.replace(/\.index$/, ''))
  }

  async read(snapshotId: string): Promise<SnapshotBlocks | null> {
    const bytes = await readFile(this.file(snapshotId)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    })
    return bytes && decodeIndex(bytes, null)
  }

  async write(snapshotId: string, snapshot: SnapshotBlocks): Promise<{ bytes: Buffer; sha256: string }> {
    const encoded = await encodeIndex(snapshot)
    await this.writeBytes(snapshotId, encoded.bytes)
    return encoded
  }

  /** A list as it lies in walrus. */
  writeBytes(snapshotId: string, bytes: Buffer): Promise<void> {
    return writeAtomically(this.file(snapshotId), bytes)
  }

  async remove(snapshotId: string): Promise<void> {
    await rm(this.file(snapshotId), { force: true })
  }

  private file(snapshotId: string): string {
    return path.join(this.dir, `${snapshotId}.index`)
  }
}
