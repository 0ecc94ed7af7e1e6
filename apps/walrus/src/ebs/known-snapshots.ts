import type { DesiredItem, ReadableSnapshotItem } from '@mallee/agent-contract'
import type { Clock } from '@mallee/base'

export type SnapshotDesired = DesiredItem<'readable-snapshot'>

/** What became another from one set to the next: a worker is told this and not all of them. */
export interface SnapshotChange {
  readonly put: readonly SnapshotDesired[]
  readonly gone: readonly string[]
}

export function changeOf(
  before: readonly SnapshotDesired[],
  after: readonly SnapshotDesired[],
): SnapshotChange {
  const markOf = ({ generation, digest }: SnapshotDesired) => `${generation} ${digest}`
  const known = new Map(before.map((item) => [item.id, markOf(item)]))
  const put = after.filter((item) => known.get(item.id) !== markOf(item))
  const stays = new Set(after.map(({ id }) => id))
  return { put, gone: before.flatMap(({ id }) => (stays.has(id) ? [] : [id])) }
}

/** The snapshots whose blocks may be read or written, and who is writing at this moment. */
export class KnownSnapshots {
  private items = new Map<string, SnapshotDesired>()
  private readonly writes = new Map<string, Set<Promise<unknown>>>()
  private readonly waiting = new Set<() => void>()
  private readonly clock: Clock

  constructor(clock: Clock) {
    this.clock = clock
  }

  replace(items: readonly SnapshotDesired[]): void {
    this.apply(changeOf([...this.items.values()], items))
  }

  apply({ put, gone }: SnapshotChange): void {
    for (const id of gone) this.items.delete(id)
    for (const item of put) this.items.set(item.id, item)
    for (const look of this.waiting) look()
  }

  find(id: string): ReadableSnapshotItem | null {
    return this.items.get(id)?.body ?? null
  }

  /** As soon as it is as it should be, or as it is after `waitMs`: the cloud may speak of what has not come here yet. */
  async soon(
    id: string,
    isReady: (item: ReadableSnapshotItem) => boolean,
    waitMs: number,
  ): Promise<ReadableSnapshotItem | null> {
    const ready = () => {
      const item = this.find(id)
      return item !== null && isReady(item)
    }
    if (!ready()) {
      await new Promise<void>((resolve) => {
        const look = () => {
          if (ready()) end()
        }
        const cancel = this.clock.after(waitMs, () => end())
        const end = () => {
          cancel()
          this.waiting.delete(look)
          resolve()
        }
        this.waiting.add(look)
      })
    }
    return this.find(id)
  }

  /** Writes, if blocks of the snapshot are taken; null where they are not, and nothing was done. */
  async write<T>(id: string, work: () => Promise<T>): Promise<T | null> {
    if (this.find(id)?.staging !== 'open') return null
    const writing = work()
    const all = this.writes.get(id) ?? new Set()
    this.writes.set(id, all)
    const done = writing
      .catch(() => {})
      .finally(() => {
        all.delete(done)
        if (all.size === 0) this.writes.delete(id)
      })
    all.add(done)
    return writing
  }

  /** Resolves when nothing is written any more of snapshots that take nothing. */
  async settled(): Promise<void> {
    for (const [id, all] of this.writes) if (this.find(id)?.staging !== 'open') await Promise.all(all)
  }
}
