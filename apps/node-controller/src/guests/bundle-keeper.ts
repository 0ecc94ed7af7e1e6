import { createReadStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { errorMessage, type Log } from '@mallee/base'
import type { BundleFacts, BundleItem, DesiredItem } from '@mallee/agent-contract'
import type { Ledger } from '@mallee/agent-kit'
import { bundleImage, manifestSuffix, newBundleKey, wrapKey, writeManifest } from '@mallee/image-bundle'
import type { HypervisorDriver } from '../drivers/hypervisor/driver.ts'
import { fatal, isPassing } from '../node-error.ts'
import { runProgram } from '../run-program.ts'
import type { GuestPreparer } from '../steps/guest-preparer.ts'
import type { Upload } from './form-upload.ts'

const convertMs = 3_600_000
/** How often one object is tried before the bundling fails: walrus may be restarting. */
const tries = 5
const tryAgainMs = 2_000
/** Percent between two words about progress. */
const progressStep = 5
const notePrefix = 'bundle '

type Item = DesiredItem<'bundle'>

interface Note {
  readonly digest: string
  readonly facts: BundleFacts
}

/**
 * Bundles the disks of guests that were shut down for it, one after the other, and uploads them. The guest is started
 * again by the cloud when this has said how it ended; what is taken out of the set meanwhile is given up. What was said at
 * the end is noted, so that a restart says it again and does nothing twice.
 */
export class BundleKeeper {
  private readonly deps: {
    readonly ledger: Ledger
    readonly hypervisor: Pick<HypervisorDriver, 'list'>
    readonly preparer: Pick<GuestPreparer, 'disk'>
    readonly upload: Upload
    readonly log: Log
    readonly observe: (item: Item, facts: BundleFacts) => void
    /** Milliseconds before an upload is tried again. */
    readonly tryAgainMs?: number
  }
  private current: { readonly id: string; readonly stop: AbortController } | null = null
  private running: Promise<void> | null = null
  private stopped = false

  constructor(deps: BundleKeeper['deps']) {
    this.deps = deps
  }

  /** Looks at the set; returns at once. */
  refresh(): void {
    const { current } = this
    if (current && !this.deps.ledger.get('bundle', current.id)) current.stop.abort()
    if (this.stopped || this.running) return
    this.running = this.run().finally(() => {
      this.running = null
    })
  }

  async stop(): Promise<void> {
    this.stopped = true
    this.current?.stop.abort()
    await this.running
  }

  private async run(): Promise<void> {
    const { ledger, log } = this.deps
    try {
      for (const name of ledger.noteNames(notePrefix))
        if (!ledger.get('bundle', name.slice(notePrefix.length))) await ledger.setNote(name, undefined)
      for (const item of ledger.list('bundle')) {
        if (this.stopped) return
        await this.settle(item)
      }
    } catch (error) {
      log.warn({ reason: errorMessage(error) }, 'bundling will be looked at again')
    }
  }

  private async settle(item: Item): Promise<void> {
    const { hypervisor, ledger, log, observe } = this.deps
    const note = ledger.note<Note>(notePrefix + item.id)
    if (note?.digest === item.digest) return observe(item, note.facts)
    // A disk that a guest writes is never read here, whatever the set says.
    if ((await hypervisor.list()).some((domain) => domain.name === item.body.instanceId)) return
    const stop = new AbortController()
    this.current = { id: item.id, stop }
    try {
      const facts = await this.bundle(item, stop.signal)
      await ledger.setNote(notePrefix + item.id, { digest: item.digest, facts } satisfies Note)
      log.info({ instanceId: item.body.instanceId, bundleId: item.id, state: facts.state }, 'bundled')
      observe(item, facts)
    } catch (error) {
      if (!stop.signal.aborted) throw error
    } finally {
      this.current = null
    }
  }

  private async bundle(item: Item, signal: AbortSignal): Promise<BundleFacts> {
    const { ledger, log, observe, preparer } = this.deps
    const { instanceId } = item.body
    const domain = ledger.list('domain').find(({ body }) => body.instanceId === instanceId)
    const disk = domain ? await preparer.disk(domain.body) : null
    const made = disk && path.join(path.dirname(disk.file), 'bundle.raw')
    try {
      if (!disk || !made) throw fatal('NoDisk', 'The disk of the instance is not there.')
      observe(item, { state: 'bundling', progress: 0, message: null })
      await rm(made, { force: true }) // of an earlier life
      if (disk.format === 'qcow2')
        await runProgram('qemu-img', ['convert', '-q', '-f', 'qcow2', '-O', 'raw', disk.file, made], {
          timeoutMs: convertMs,
        })
      await this.send(item, disk.format === 'qcow2' ? made : disk.file, signal)
      return { state: 'complete', progress: 100, message: null }
    } catch (error) {
      if (signal.aborted) throw error
      log.warn({ instanceId, bundleId: item.id, err: error }, 'the bundling failed')
      return { state: 'failed', progress: 0, message: errorMessage(error).slice(0, 1000) }
    } finally {
      if (made) await rm(made, { force: true })
    }
  }

  private async send(item: Item, file: string, signal: AbortSignal): Promise<void> {
    const { body } = item
    const { size: sizeBytes } = await stat(file)
    const folder = body.prefix.slice(0, body.prefix.lastIndexOf('/') + 1)
    const key = newBundleKey()
    let [read, told] = [0, 0]
    // A disk that is mostly empty makes few parts: how much of it was read says how far it is.
    const tell = () => {
      const progress = Math.floor((read * 99) / sizeBytes)
      if (progress < told + progressStep) return
      told = progress
      this.deps.observe(item, { state: 'bundling', progress, message: null })
    }
    async function* source() {
      for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024, signal })) {
        read += (chunk as Buffer).length
        tell()
        yield chunk as Buffer
      }
    }
    const bundled = await bundleImage({
      ...{ source: source(), sizeBytes, mtimeMs: Date.now(), key },
      ...{ name: `${body.instanceId}.img`, prefix: body.prefix.slice(folder.length) },
      writePart: async ({ filename }, bytes) => {
        await this.put(body, folder + filename, bytes, signal)
      },
    })
    const manifest = writeManifest(manifestOf(body, { key, bundled, sizeBytes }))
    await this.put(body, `${body.prefix}${manifestSuffix}`, Buffer.from(manifest), signal)
  }

  private async put(body: BundleItem, key: string, bytes: Buffer, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.deps.upload(body, key, bytes, signal)
      } catch (error) {
        if (signal.aborted || attempt === tries || !isPassing(error)) throw error
        await new Promise((resolve) => setTimeout(resolve, this.deps.tryAgainMs ?? tryAgainMs))
      }
    }
  }
}

function manifestOf(
  body: BundleItem,
  made: {
    readonly key: ReturnType<typeof newBundleKey>
    readonly bundled: Awaited<ReturnType<typeof bundleImage>>
    readonly sizeBytes: number
  },
): Parameters<typeof writeManifest>[0] {
  const wrapped = wrapKey(made.key, body.certificate)
  return {
    bundler: { name: 'mallee', version: '1', release: '0' },
    ...{ architecture: body.architecture, blockDevices: [], productCodes: [] },
    ...{ kernelId: body.kernelId, ramdiskId: body.ramdiskId },
    ...{ name: `${body.instanceId}.img`, user: body.accountId, type: 'machine' },
    ...made.bundled,
    sizeBytes: made.sizeBytes,
    ...{ cloudKey: wrapped.key, cloudIv: wrapped.iv, userKey: '', userIv: '', ancestors: [] },
  }
}
