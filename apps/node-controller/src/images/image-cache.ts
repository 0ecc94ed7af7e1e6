import { createHash } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import path from 'node:path'
import type { Artifact } from '@mallee/agent-contract'
import type { Log } from '@mallee/base'
import { fatal } from '../node-error.ts'

/** Fetches an artifact's bytes from walrus as a stream. */
export type FetchArtifact = (
  artifact: Artifact,
  signal: AbortSignal,
  /** Of the launch that needs it, for the other side's log. */
  requestId?: string | null,
) => Promise<AsyncIterable<Uint8Array>>

/**
 * Images on the node by their content: one file per digest, written whole and checked before it has its name, never
 * changed after. Instance disks are overlays over it. Many waiters share one download.
 */
export class ImageCache {
  private readonly dir: string
  private readonly fetch: FetchArtifact
  private readonly log: Log
  private readonly downloads = new Map<string, Promise<string>>()

  constructor(options: { dir: string; fetch: FetchArtifact; log: Log }) {
    this.dir = options.dir
    this.fetch = options.fetch
    this.log = options.log
  }

  /** Removes what a crash left half written. */
  async open(): Promise<void> {
    await mkdir(this.dir, { recursive: true, mode: 0o755 })
    for (const name of await readdir(this.dir)) {
      if (name.endsWith('.part')) await rm(path.join(this.dir, name), { force: true })
    }
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
    const cancel = new AbortController()
    try {
      const hash = createHash('sha256')
      let size = 0
      const handle = await open(part, 'w', 0o644)
      try {
        for await (const chunk of await this.fetch(artifact, cancel.signal, requestId)) {
          size += chunk.length
          if (size > artifact.sizeBytes) break
          hash.update(chunk)
          await handle.write(chunk)
        }
        await handle.sync()
      } finally {
        await handle.close()
      }
      if (size !== artifact.sizeBytes || hash.digest('hex') !== artifact.sha256) {
        throw fatal('ImageMismatch', `The bytes of ${artifact.imageId} are not those that were registered.`)
      }
      await rename(part, file)
      this.log.info({ imageId: artifact.imageId, request_id: requestId, sizeBytes: size }, 'image fetched')
      return file
    } catch (error) {
      cancel.abort()
      await rm(part, { force: true })
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC')
        throw fatal('DiskFull', 'The node has no disk space left for the image.', error)
      throw error
    }
  }
}

async function isWhole(file: string, sizeBytes: number): Promise<boolean> {
  try {
    return (await stat(file)).size === sizeBytes
  } catch {
    return false
  }
}
