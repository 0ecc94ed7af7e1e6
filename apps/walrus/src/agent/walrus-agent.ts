import path from 'node:path'
import { errorMessage, type Clock, type Log } from '@mallee/base'
import type { DesiredItem, ImageObjectFacts, WalrusFingerprint } from '@mallee/agent-contract'
import {
  AgentLoop,
  CloudClient,
  InventoryKeeper,
  keepCertificate,
  Ledger,
  type AgentIdentity,
  type Cloud,
} from '@mallee/agent-kit'
import { digestOfBlock, encodeBlock } from '@mallee/volume-snapshots'
import { AuditSender } from '../audit/audit-sender.ts'
import { TrailWriter } from '../audit/trail-writer.ts'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import { StagingKeeper } from '../ebs/staging-keeper.ts'
import type { MasterKeys } from '../encryption/master-keys.ts'
import type { AccessKeys, KnownIdentities } from '../identity/access-keys.ts'
import { keepStagedBlock } from '../ebs/staged-block.ts'
import { FlowLogJudge } from '../logging/flow-log-judge.ts'
import { ImageInspector } from '../images/image-inspector.ts'
import { ImageMaker } from '../images/image-maker.ts'
import { DiskImporter } from '../images/import/disk-importer.ts'
import { ManifestReader } from '../images/manifest-reader.ts'
import type { Index } from '../index/tables.ts'
import type { Beliefs } from '../workers/messages.ts'
import { walrusInventory } from './walrus-inventory.ts'

const fingerprintEveryMs = 15_000
/** Below this much room walrus still reads and deletes, and says that it is not well. */
const lowBytes = 512 * 1024 * 1024

export interface WalrusAgentOptions {
  readonly dir: string
  /** For what is converted; on the file system of the objects. */
  readonly workDir: string
  readonly identity: AgentIdentity
  readonly index: Index
  readonly blobs: BlobKeeper
  readonly masterKeys: MasterKeys
  readonly keys: AccessKeys
  /** Tells whoever else judges requests; resolves when all act by it. */
  readonly spread: (beliefs: Beliefs) => Promise<void>
  readonly clock: Clock
  readonly log: Log
  /** In tests: a cloud without a socket. */
  readonly cloud?: Cloud
  readonly onRenewed: (identity: AgentIdentity) => void
}

/** Walrus as an agent of its cloud: takes keys and images from the desired set, says what it has and how it is. */
export class WalrusAgent {
  private readonly options: WalrusAgentOptions
  private readonly ledger: Ledger
  private readonly loop: AgentLoop
  private readonly inspector: ImageInspector
  private readonly maker: ImageMaker
  private readonly imports: DiskImporter
  private readonly manifests: ManifestReader
  private readonly staging: StagingKeeper
  private readonly flowLogJudge: FlowLogJudge
  private readonly inventory: InventoryKeeper
  private readonly audit: AuditSender
  private readonly trails: TrailWriter
  private readonly stopping = new AbortController()
  private client: CloudClient | null = null
  private fingerprint: WalrusFingerprint
  private watching: NodeJS.Timeout | null = null
  private believing = 0

  private constructor(options: WalrusAgentOptions, ledger: Ledger, fingerprint: WalrusFingerprint) {
    this.options = options
    this.ledger = ledger
    this.fingerprint = fingerprint
    const { index, blobs, clock, log } = options
    const cloud = options.cloud ?? this.dial(options.identity)
    this.staging = new StagingKeeper({
      ...{ index, blobs, log },
      observe: ({ kind, id, generation }, facts) => this.loop.observe({ kind, id, generation, facts }),
      forget: (id) => this.loop.forget('readable-snapshot', id),
    })
    this.inventory = new InventoryKeeper({
      ledger,
      source: walrusInventory({ index, blobs, ledger, staging: this.staging }),
      send: (blob) => cloud.inventory(blob),
      clock,
      log,
    })
    this.audit = new AuditSender({ index, cloud, clock, log })
    this.trails = new TrailWriter({ ...{ index, blobs, masterKeys: options.masterKeys }, cloud, clock, log })
    this.loop = new AgentLoop({
      cloud,
      ledger,
      log,
      clock,
      onDesired: () => this.refresh(),
      fingerprint: () => this.fingerprint as unknown as Record<string, unknown>,
    })
    const { masterKeys } = options
    const observe = (item: DesiredItem<'image-object'>, facts: ImageObjectFacts) =>
      this.loop.observe({ kind: 'image-object', id: item.id, generation: item.generation, facts })
    this.inspector = new ImageInspector({ ledger, index, blobs, masterKeys, clock, log, observe })
    this.maker = new ImageMaker({
      ...{ ledger, index, blobs, masterKeys, clock, log, observe },
      workDir: options.workDir,
    })
    const source = { index, blobs, masterKeys, clock }
    this.imports = new DiskImporter({
      ...{ ...source, ledger, log, workDir: `${options.workDir}-disks` },
      staged: {
        async put(snapshotId, number, block) {
          const written = { snapshotId, number, digest: digestOfBlock(block), progress: null }
          await keepStagedBlock(source, written, await encodeBlock(block))
        },
        clear: (snapshotId) => this.staging.remove(snapshotId),
      },
      observe: ({ kind, id, generation }, facts) => this.loop.observe({ kind, id, generation, facts }),
    })
    this.manifests = new ManifestReader({
      ...{ ledger, index, blobs, masterKeys, log },
      observe: (item, facts) =>
        this.loop.observe({ kind: 'manifest', id: item.id, generation: item.generation, facts }),
      forget: (id) => this.loop.forget('manifest', id),
    })
    this.flowLogJudge = new FlowLogJudge({
      ...{ ledger, index, log },
      observe: ({ kind, id, generation }, facts) => this.loop.observe({ kind, id, generation, facts }),
      forget: (id) => this.loop.forget('flow-log', id),
    })
  }

  static async start(options: WalrusAgentOptions): Promise<WalrusAgent> {
    const { identity, log } = options
    const ledger = await Ledger.open({
      dir: path.join(options.dir, 'ledger'),
      privateKey: identity.key,
      log,
    })
    const agent = new WalrusAgent(options, ledger, await takeFingerprint(options.blobs))
    agent.run()
    return agent
  }

  images(): readonly DesiredItem<'image-object'>[] {
    return this.ledger.list('image-object')
  }

  flowLogs(): readonly DesiredItem<'flow-log'>[] {
    return this.ledger.list('flow-log')
  }

  async stop(): Promise<void> {
    if (this.watching) clearInterval(this.watching)
    this.stopping.abort()
    await Promise.all([this.loop.stop(), this.inspector.stop(), this.maker.stop(), this.inventory.stop()])
    await this.imports.stop()
    await Promise.all([this.audit.stop(), this.trails.stop()])
    await this.staging.stop()
    await this.client?.close()
  }

  private run(): void {
    const { log, clock, identity, dir } = this.options
    this.refresh() // the ledger answers before the cloud does
    this.loop.start()
    this.audit.start()
    this.trails.start()
    this.watching = setInterval(() => void this.look(), fingerprintEveryMs)
    if (!this.client) return
    void keepCertificate({
      identity,
      client: this.client,
      dir,
      log,
      clock,
      signal: this.stopping.signal,
      onRenewed: this.options.onRenewed,
    })
  }

  private dial(identity: AgentIdentity): CloudClient {
    const { cloudUrl, authority, key, certificate } = identity
    this.client = new CloudClient({ url: cloudUrl, authority, key, certificate })
    return this.client
  }

  private refresh(): void {
    void this.believe()
    this.inspector.refresh()
    this.maker.refresh()
    this.imports.refresh()
    this.manifests.refresh()
    this.flowLogJudge.refresh()
    this.inventory.refresh()
  }

  /** Says of a key that it is applied when it is so wherever a request may come. */
  private async believe(): Promise<void> {
    const { ledger } = this
    const items = ledger.list('access-key')
    const identities: KnownIdentities = {
      keys: ledger.revision > 0 ? items : null,
      principals: ledger.list('principal'),
      sessionKeys: ledger.list('session-key'),
    }
    this.options.keys.replace(identities)
    const snapshots = ledger.list('readable-snapshot')
    const turn = (this.believing += 1)
    await this.options.spread({ identities, images: this.images(), flowLogs: this.flowLogs(), snapshots })
    // Else a newer set is on its way to all, and is settled by.
    if (turn === this.believing) this.staging.settle(snapshots)
    for (const { kind, id, generation } of items) {
      if (ledger.get('access-key', id)?.generation !== generation) continue // another word came meanwhile
      this.loop.observe({ kind, id, generation, facts: { applied: true } })
    }
  }

  private async look(): Promise<void> {
    try {
      this.fingerprint = await takeFingerprint(this.options.blobs)
      this.loop.refreshFingerprint()
      this.staging.look()
      this.flowLogJudge.refresh()
    } catch (error) {
      this.options.log.warn({ reason: errorMessage(error) }, 'no fingerprint')
    }
  }
}

async function takeFingerprint(blobs: BlobKeeper): Promise<WalrusFingerprint> {
  const { totalBytes, freeBytes } = await blobs.space()
  const problems = freeBytes < lowBytes ? [`Only ${freeBytes} bytes are free.`] : []
  return {
    driver: blobs.driverName,
    totalBytes,
    freeBytes: Math.floor(freeBytes / (64 * 1024 * 1024)) * 64 * 1024 * 1024,
    healthy: problems.length === 0,
    problems,
  }
}
