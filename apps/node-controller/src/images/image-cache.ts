import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import path from 'node:path'
import type { Artifact } from '@mallee/agent-contract'
import { dayMs, errorMessage, type Log } from '@mallee/base'
import { fatal, isPassing, passing } from '../node-error.ts'

/** Fetches an artifact's bytes from walrus as a stream, from the byte `from` on. */
export type FetchArtifact = (
  artifact: Artifact,
  signal: AbortSignal,
  from: number,
  /** Of the launch that needs it, for the other side's log. */
  requestId?: string | null,
) => Promise<AsyncIterable<Uint8Array>>

/** How far a download is. */
export interface Download {
  readonly imageId: string
  readonly receivedBytes: number
  readonly sizeBytes: number
}

/** A download that broke off goes on where it was, so often without a byte in between, before its launch waits longer. */
const mostBreaks = 5
/** What a crash left half written is of use to the next launch of that image for so long. */
const partLifeMs = dayMs

/**
 * Images on the node by their content: one file per digest, written whole and checked before it has its name, never
 * changed after. Instance disks are overlays over it. Many waiters share one download; one that breaks off, or that a
 * crash ended, goes on where it was: the digest is over all of it in any case.
 */
export class ImageCache {
  private readonly dir: string
  private readonly fetch: FetchArtifact
  private readonly log: Log
  private readonly downloads = new Map<string, Promise<string>>()
  private readonly progress = new Map<string, Download>()

  constructor(options: { dir: string; fetch: FetchArtifact; log: Log }) {
    this.dir = options.dir
    this.fetch = options.fetch
    this.log = options.log
  }

  /** Removes what was left half written long ago. */
  async open(): Promise<void> {
    await mkdir(this.dir, { recursive: true, mode: 0o755 })
    for (const name of await readdir(this.dir)) {
      if (!name.endsWith('.part')) continue
      const file = path.join(this.dir, name)
      if (Date.now() - (await stat(file)).mtimeMs > partLifeMs) await rm(file, { force: true })
    }
  }

  /** Downloads under way. */
  underWay(): Download[] {
    return [...this.progress.values()]
  }

  pathOf(artifact: Artifact): string {
    return path.join(this.dir, `${artifact.sha256}.${artifact.format}`)
  }

  /** The path of the artifact's bytes; downloads them when they are not here. */
  async ensure(artifact: Artifact, requestId: string | null = null): Promise<string> {
    const file = this.pathOf(artifact)
    if (await isWhole(file, artifact.sizeBytes)) {
      const now = new Date()
      await utimes(file, now, now) // least recently used goes first
      return file
    }
    let download = this.downloads.get(file)
    if (!download) {
      download = this.download(artifact, file, requestId).finally(() => this.downloads.delete(file))
      this.downloads.set(file, download)
    }
    return download
  }

  /** Removes the least recently used files that nobody needs until at most `keepBytes` of them are left. */
  async evict(options: { inUse: ReadonlySet<string>; keepBytes: number }): Promise<string[]> {
    const files = []
    for (const name of await readdir(this.dir)) {
      const file = path.join(this.dir, name)
      if (options.inUse.has(file) || name.endsWith('.part')) continue
      const info = await stat(file)
      files.push({ file, usedMs: info.mtimeMs, bytes: info.blocks * 512 })
    }
    files.sort((a, b) => b.usedMs - a.usedMs)
    let kept = 0
    const removed: string[] = []
    for (const entry of files) {
      kept += entry.bytes
      if (kept <= options.keepBytes) continue
      await rm(entry.file, { force: true })
      removed.push(entry.file)
    }
    return removed
  }

  private async download(artifact: Artifact, file: string, requestId: string | null): Promise<string> {
    const part = `${file}.part`
    try {
      // What a crash left may have length without bytes: then it is fetched from its beginning, once.
      const old = await stat(part).then(
        ({ size }) => size > 0,
        () => false,
      )
      let digest = await this.receive(artifact, part, requestId)
      if (digest !== artifact.sha256 && old) {
        await rm(part, { force: true })
        digest = await this.receive(artifact, part, requestId)
      }
      if (digest !== artifact.sha256) throw mismatch(artifact)
      await rename(part, file)
      const { imageId, sizeBytes } = artifact
      this.log.info({ imageId, request_id: requestId, sizeBytes }, 'image fetched')
      return file
    } catch (error) {
      // What came is kept only where it may be the beginning of what is wanted.
      if (!isPassing(error)) await rm(part, { force: true })
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC')
        throw fatal('DiskFull', 'The node has no disk space left for the image.', error)
      throw error
    } finally {
      this.progress.delete(file)
    }
  }

  /** Brings the part to its full length, and answers its SHA-256. */
  private async receive(artifact: Artifact, part: string, requestId: string | null): Promise<string> {
    const handle = await open(part, 'a', 0o644)
    try {
      const hash = createHash('sha256')
      let received = (await handle.stat()).size
      if (received > artifact.sizeBytes) throw mismatch(artifact)
      if (received > 0) for await (const chunk of createReadStream(part)) hash.update(chunk as Buffer)
      for (let breaks = 0; received < artifact.sizeBytes;) {
        const before = received
        const cancel = new AbortController()
        try {
          for await (const chunk of await this.fetch(artifact, cancel.signal, received, requestId)) {
            if (received + chunk.length > artifact.sizeBytes) throw mismatch(artifact)
            hash.update(chunk)
            await handle.write(chunk)
            received += chunk.length
            this.note(part, artifact, received)
          }
          if (received < artifact.sizeBytes) throw mismatch(artifact)
        } catch (error) {
          cancel.abort()
          breaks = received > before ? 0 : breaks + 1
          // Nothing came, or what cannot be mended by going on: the launch decides how long it waits.
          if (!isBroken(error)) throw error
          if (received === before || breaks >= mostBreaks)
            throw isPassing(error)
              ? error
              : passing('WalrusAway', 'Walrus went away in the middle of an image.', error)
          const { imageId } = artifact
          this.log.warn(
            { imageId, received, reason: errorMessage(error) },
            'a download broke off and goes on',
          )
        }
      }
      await handle.sync()
      return hash.digest('hex')
    } finally {
      await handle.close()
    }
  }

  private note(part: string, { imageId, sizeBytes }: Artifact, receivedBytes: number): void {
    this.progress.set(part.replace(/\.part$/, ''), { imageId, receivedBytes, sizeBytes })
  }
}

const mismatch = (artifact: Artifact) =>
  fatal('ImageMismatch', `The bytes of ${artifact.imageId} are not those that were registered.`)

/** A connection that ended in the middle; not a refusal, a full disk or other bytes. */
function isBroken(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return isPassing(error) || (typeof code === 'string' && /^(?:UND_ERR_|ECONN|EPIPE|ETIMEDOUT)/.test(code))
}

async function isWhole(file: string, sizeBytes: number): Promise<boolean> {
  try {
    return (await stat(file)).size === sizeBytes
  } catch {
    return false
  }
}
