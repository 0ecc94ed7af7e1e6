/**
 * How many snapshots use each stored block, counted from the snapshots' own lists: nothing that could disagree with them
 * is kept. A block lies under an account's prefix, so that what one account stored tells another nothing.
 */
export class BlockReferences {
  private readonly counts = new Map<string, number>()
  private readonly counted = new Set<string>()

  has(key: string): boolean {
    return this.counts.has(key)
  }

  /** Counts a snapshot's keys; once, however often it is said: its blocks never change. */
  add(snapshotId: string, keys: Iterable<string>): void {
    if (this.counted.has(snapshotId)) return
    this.counted.add(snapshotId)
    for (const key of keys) this.counts.set(key, (this.counts.get(key) ?? 0) + 1)
  }

  /** Answers the keys that nobody uses any more. */
  drop(snapshotId: string, keys: Iterable<string>): string[] {
    const own = this.counted.delete(snapshotId) ? 1 : 0
    const unused: string[] = []
    for (const key of keys) {
      const left = (this.counts.get(key) ?? 0) - own
      if (left > 0) this.counts.set(key, left)
      else {
        this.counts.delete(key)
        unused.push(key)
      }
    }
    return unused
  }
}

/** The key of each distinct block of a snapshot. */
export function blockKeys(prefix: string, digests: Iterable<string>): Set<string> {
  return new Set([...digests].map((digest) => `${prefix}/${digest}`))
}
