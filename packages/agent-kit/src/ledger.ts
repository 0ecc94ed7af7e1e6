import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { mkdir, open, readFile } from 'node:fs/promises'
import path from 'node:path'
import { MalleeError, removeUnfinished, type Log, writeAtomically } from '@mallee/base'
import type { DesiredItem, DesiredResponse, ItemBody, ItemKind } from '@mallee/agent-contract'

const startsFile = 'starts.json'

/**
 * What an agent remembers: the desired set and its revision (a lower one is ignored, or two incarnations of one
 * instance could run at once), and its own notes, such as "I am about to start this domain", written before the deed.
 * With it an agent goes on while the cloud is away. Bodies that carry secrets are sealed with a key that is derived
 * from the agent's own.
 */
export class Ledger {
  private readonly dir: string
  private readonly sealKey: Buffer
  private items = new Map<string, DesiredItem>()
  private notes = new Map<string, unknown>()
  private currentRevision = 0
  private startCount = 0
  private writes: Promise<void> = Promise.resolve()

  private constructor(dir: string, sealKey: Buffer) {
    this.dir = dir
    this.sealKey = sealKey
  }

  static async open(options: { dir: string; privateKey: string; log: Log }): Promise<Ledger> {
    await mkdir(options.dir, { recursive: true, mode: 0o700 })
    await removeUnfinished(options.dir)
    const sealKey = Buffer.from(hkdfSync('sha256', options.privateKey, '', 'mallee ledger', 32))
    const ledger = new Ledger(options.dir, sealKey)
    await ledger.load(options.log)
    ledger.startCount += 1
    await ledger.saveStarts()
    return ledger
  }

  get revision(): number {
    return this.currentRevision
  }

  /** Grows with every start of the agent; report sequences are built on it. */
  get starts(): number {
    return this.startCount
  }

  list<K extends ItemKind>(kind: K): DesiredItem<K>[] {
    return [...this.items.values()].filter((item) => item.kind === kind) as unknown as DesiredItem<K>[]
  }

  get<K extends ItemKind>(kind: K, id: string): DesiredItem<K> | undefined {
    return this.items.get(itemKey(kind, id)) as DesiredItem<K> | undefined
  }

  /** Takes a newer set, whole; answers whether it was newer. Missing bodies are a fault of the sender. */
  async accept(set: DesiredResponse): Promise<boolean> {
    if (set.revision <= this.currentRevision) return false
    const arrived = new Map(set.bodies.map((item) => [itemKey(item.kind, item.id), item]))
    const next = new Map<string, DesiredItem>()
    for (const entry of set.index) {
      const key = itemKey(entry.kind, entry.id)
      const body = arrived.get(key) ?? this.items.get(key)
      if (body?.digest !== entry.digest) {
        // What we hold is not what the cloud believes that we hold: the next poll asks for everything.
        this.currentRevision = 0
        throw new MalleeError({
          code: 'BodyLacking',
          publicMessage: `The body of ${key} did not come with the set.`,
          retryable: true,
        })
      }
      next.set(key, { ...body, generation: entry.generation } as DesiredItem)
    }
    // Kept before it counts: notes must never be of a set that a death here would take back.
    await this.save('desired.json', {
      revision: set.revision,
      items: [...next.values()].map((item) => this.seal(item)),
    })
    this.items = next
    this.currentRevision = set.revision
    return true
  }

  /** Forgets the set, so that the next poll brings it whole. */
  forgetRevision(): void {
    this.currentRevision = 0
    this.items = new Map()
  }

  note<T>(name: string): T | undefined {
    return this.notes.get(name) as T | undefined
  }

  noteNames(prefix: string): string[] {
    return [...this.notes.keys()].filter((name) => name.startsWith(prefix))
  }

  /** Durable when it resolves; when it rejects, the note is what it was: what was not kept was not noted. */
  async setNote(name: string, value: unknown): Promise<void> {
    const before = this.notes.get(name)
    this.putNote(name, value)
    try {
      await this.save('notes.json', Object.fromEntries(this.notes))
    } catch (error) {
      if (this.notes.get(name) === value) this.putNote(name, before)
      throw error
    }
  }

  /** A note that is sealed on disk. */
  setSecretNote(name: string, value: unknown): Promise<void> {
    return this.setNote(name, value === undefined ? undefined : this.sealText(JSON.stringify(value)))
  }

  /** Undefined where there is none, or where it was sealed with another key. */
  secretNote<T>(name: string): T | undefined {
    const sealed = this.note<string>(name)
    if (sealed === undefined) return undefined
    try {
      return JSON.parse(this.openText(sealed)) as T
    } catch {
      return undefined
    }
  }

  private putNote(name: string, value: unknown): void {
    if (value === undefined) this.notes.delete(name)
    else this.notes.set(name, value)
  }

  private async load(log: Log): Promise<void> {
    const starts = await this.read<{ starts: number }>(startsFile)
    this.startCount = starts?.starts ?? 0
    this.notes = new Map(Object.entries((await this.read<Record<string, unknown>>('notes.json')) ?? {}))
    const desired = await this.read<{ revision: number; items: SealedItem[] }>('desired.json')
    if (!desired) return
    try {
      this.items = new Map(desired.items.map((item) => [itemKey(item.kind, item.id), this.unseal(item)]))
      this.currentRevision = desired.revision
    } catch (error) {
      log.warn({ err: error }, 'the ledger cannot be opened with this key; the set will be fetched whole')
    }
  }

  private async read<T>(name: string): Promise<T | null> {
    try {
      return JSON.parse(await readFile(path.join(this.dir, name), 'utf8')) as T
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  /**
   * On a full disk over what is there, which takes no room: an agent that does not start serves nobody, and one that
   * counts no start says what its cloud holds for old.
   */
  private async saveStarts(): Promise<void> {
    const value = { starts: this.startCount }
    try {
      await this.save(startsFile, value)
    } catch (error) {
      if (!['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
      const there = await open(path.join(this.dir, startsFile), 'r+').catch(() => null)
      if (!there) throw error
      try {
        await there.write(JSON.stringify(value), 0) // never shorter than what it covers
        await there.sync()
      } finally {
        await there.close()
      }
    }
  }

  private save(name: string, value: unknown): Promise<void> {
    const text = JSON.stringify(value)
    const write = this.writes.then(() => writeAtomically(path.join(this.dir, name), text))
    this.writes = write.catch(() => {})
    return write
  }

  private seal(item: DesiredItem): SealedItem {
    if (!secretKinds.has(item.kind)) return item as SealedItem
    return { ...item, body: null, sealed: this.sealText(JSON.stringify(item.body)) }
  }

  private unseal(item: SealedItem): DesiredItem {
    if (item.sealed === undefined) return item as DesiredItem
    const text = this.openText(item.sealed)
    const { sealed: _sealed, ...rest } = item
    return { ...rest, body: JSON.parse(text) as ItemBody<ItemKind> }
  }

  private sealText(text: string): string {
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', this.sealKey, nonce)
    return Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]).toString('base64')
  }

  private openText(sealed: string): string {
    const bytes = Buffer.from(sealed, 'base64')
    const decipher = createDecipheriv('aes-256-gcm', this.sealKey, bytes.subarray(0, 12))
    decipher.setAuthTag(bytes.subarray(-16))
    return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8')
  }
}

const secretKinds = new Set<ItemKind>([
  ...(['access-key', 'bundling-key', 'bundle', 'export', 'connection', 'volume', 'snapshot'] as const),
  ...(['readable-snapshot', 'session-key'] as const),
])

type SealedItem = Omit<DesiredItem, 'body'> & { body: ItemBody<ItemKind> | null; sealed?: string }

function itemKey(kind: string, id: string): string {
  return `${kind} ${id}`
}
