import { errorMessage, type Log } from '@mallee/base'
import type { DesiredItem, ManifestFacts } from '@mallee/agent-contract'
import type { Ledger } from '@mallee/agent-kit'
import { BundleRefused, kindOf, type BundleManifest } from '@mallee/image-bundle'
import type { ObjectSource } from '../objects/open-object.ts'
import { openManifest } from './unbundle-image.ts'

type Item = DesiredItem<'manifest'>

const roots = ['ami', 'emi', 'root']
const nothing = {
  ...{ message: null, kind: null, architecture: null, kernelId: null },
  ...{ ramdiskId: null, rootDevice: null, sizeBytes: null },
}

/** Answers what the manifests say that an action of the cloud's is waiting for. Each once; nothing is kept. */
export class ManifestReader {
  private readonly options: ObjectSource & {
    ledger: Ledger
    log: Log
    observe: (item: Item, facts: ManifestFacts) => void
    forget: (id: string) => void
  }
  private readonly answered = new Set<string>()

  constructor(options: ManifestReader['options']) {
    this.options = options
  }

  /** Looks at the desired set; returns at once. */
  refresh(): void {
    const items = this.options.ledger.list('manifest')
    const asked = new Set(items.map((item) => item.id))
    for (const id of this.answered) {
      if (asked.has(id)) continue
      this.answered.delete(id)
      this.options.forget(id)
    }
    for (const item of items) {
      if (this.answered.has(item.id)) continue
      this.answered.add(item.id)
      void this.answer(item)
    }
  }

  /** The answer to a question that waits for seconds is not tried twice. */
  private async answer(item: Item): Promise<void> {
    try {
      const manifest = await openManifest(this.options, item.body.accountId, item.body)
      const facts: ManifestFacts =
        typeof manifest === 'string'
          ? { ...nothing, state: 'unreadable', message: manifest }
          : { ...nothing, state: 'read', ...said(manifest) }
      this.options.observe(item, facts)
    } catch (error) {
      if (error instanceof BundleRefused)
        return this.options.observe(item, { ...nothing, state: 'malformed', message: error.publicMessage })
      this.options.log.warn({ reason: errorMessage(error) }, 'a manifest could not be read')
    }
  }
}

function said(manifest: BundleManifest) {
  const bootImage = (id: string | null) => (id === 'true' ? null : id)
  const root = manifest.blockDevices.find(({ virtual }) => roots.includes(virtual))
  return {
    kind: kindOf(manifest),
    architecture: manifest.architecture,
    kernelId: bootImage(manifest.kernelId),
    ramdiskId: bootImage(manifest.ramdiskId),
    rootDevice: root?.device ?? null,
    sizeBytes: manifest.sizeBytes,
  }
}
