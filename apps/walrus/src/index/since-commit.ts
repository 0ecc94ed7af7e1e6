import type { Index, Reader } from './tables.ts'

/**
 * What was read since the last commit and so is still there: most requests ask for the same few rows, and most of them write
 * nothing. Of an index that several processes write nothing is kept.
 */
export class SinceCommit<Value> {
  private readonly index: Index
  private readonly most: number
  private readonly known = new Map<string, Value>()
  private revision: number | undefined

  constructor(index: Index, most: number) {
    this.index = index
    this.most = most
  }

  async find(key: string, read: (db: Reader) => Promise<Value>): Promise<Value> {
    const { revision } = this.index
    if (revision === undefined) return this.index.read(read)
    if (revision !== this.revision) this.known.clear()
    this.revision = revision
    const kept = this.known.get(key)
    if (kept !== undefined) return kept
    const value = await this.index.read(read)
    if (this.index.revision === revision && this.known.size < this.most) this.known.set(key, value)
    return value
  }
}
