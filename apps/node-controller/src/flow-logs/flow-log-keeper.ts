import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { errorMessage, minuteMs, secondMs, type Clock, type Log } from '@mallee/base'
import type { DesiredItem, FlowLog } from '@mallee/agent-contract'
import type { FlowWindow, NetworkDriver } from '../drivers/network/driver.ts'
import { isPassing } from '../node-error.ts'
import type { SendRecords } from './flow-log-sender.ts'
import { FlowSpool, type Batch } from './flow-spool.ts'
import { objectKey } from './object-name.ts'
import { headerOf, loggedInterfaces, recordsOf, type LoggedInterface } from './records.ts'

const compress = promisify(gzip)

/**
 * How long flows are put together into one record. What MaxAggregationInterval says is the most; where it allows ten
 * minutes this is shorter, as it is on AWS's newer instances.
 */
const windowMs = minuteMs
/** How long records of a flow log wait for others, by its MaxAggregationInterval. */
const gatherMs = (log: FlowLog) => (log.intervalSeconds < 600 ? 0 : 5 * minuteMs)
/** After walrus was away, or refused: at first, and then ever more rarely. */
const tryAgainMs = 15 * secondMs
const mostRareMs = 5 * minuteMs

/**
 * Takes what the network counted, once a minute, and delivers it as records to where flow logs want them. Each window is
 * on disk before the kernel forgets it, and each record until walrus has it, within bounds.
 */
export class FlowLogKeeper {
  private readonly deps: {
    readonly agentId: string
    readonly items: () => readonly DesiredItem<'vpc'>[]
    readonly network: Pick<NetworkDriver, 'collectFlows'>
    readonly spool: FlowSpool
    readonly send: SendRecords
    readonly clock: Clock
    readonly log: Log
  }
  /** Of now, and those that went in this window: the last of their records is still to come. */
  private logs = new Map<string, FlowLog>()
  private interfaces = new Map<string, LoggedInterface>()
  private collectAtMs = 0
  private readonly failed = new Map<string, { readonly againAtMs: number; readonly pauseMs: number }>()
  private wasCovering = true
  private running: Promise<void> | null = null
  private stopped = false

  constructor(deps: FlowLogKeeper['deps']) {
    this.deps = deps
  }

  /** Looks what there is to do; resolves when it is done. Asked again meanwhile, it is the same look. */
  refresh(): Promise<void> {
    if (this.stopped) return Promise.resolve()
    this.running ??= this.look()
      .catch((error: unknown) =>
        this.deps.log.warn({ reason: errorMessage(error) }, 'flows will be collected again'),
      )
      .finally(() => {
        this.running = null
      })
    return this.running
  }

  async stop(): Promise<void> {
    this.stopped = true
    await this.running
  }

  private async look(): Promise<void> {
    const { clock, network, spool } = this.deps
    const covering = this.learn()
    const nowMs = clock.now()
    // The window ends with the minute, and at once where the last flow log has gone.
    if (nowMs >= this.collectAtMs || (this.wasCovering && !covering)) {
      await network.collectFlows((window) => this.keep(window))
      this.collectAtMs = (Math.floor(nowMs / windowMs) + 1) * windowMs
      this.wasCovering = covering
      this.logs = new Map()
      this.interfaces = new Map()
      this.learn()
    }
    for (const id of await spool.ids()) {
      // One that is away is away for all of them, and counting does not wait for each.
      if (this.stopped || !(await this.deliver(id))) return
    }
  }

  /** Whether any flow log covers interfaces of this node now. */
  private learn(): boolean {
    let covering = false
    for (const { body } of this.deps.items()) {
      for (const log of body.flowLogs ?? []) {
        covering = true
        const before = this.logs.get(log.flowLogId)
        const interfaceIds = [...new Set([...(before?.interfaceIds ?? []), ...log.interfaceIds])]
        this.logs.set(log.flowLogId, { ...log, interfaceIds })
      }
      if (body.flowLogs) for (const [id, entry] of loggedInterfaces(body)) this.interfaces.set(id, entry)
    }
    return covering
  }

  private async keep(window: FlowWindow): Promise<void> {
    for (const log of this.logs.values()) {
      const lines = recordsOf(log, window, this.interfaces)
      if (lines !== '') await this.deps.spool.put(log, window, lines, this.interfaces)
    }
  }

  /** Whether walrus is there, as far as this has shown. */
  private async deliver(id: string): Promise<boolean> {
    const { clock, log, spool } = this.deps
    if (clock.now() < (this.failed.get(id)?.againAtMs ?? 0)) return true
    for (let batch = await spool.batch(id); batch !== null; batch = await spool.batch(id)) {
      const waitedMs = clock.now() - batch.windows[0]!.endMs
      if (this.stopped || waitedMs < gatherMs(batch.log)) return true
      try {
        await this.send(batch)
        await spool.done(batch)
        this.failed.delete(id)
      } catch (error) {
        log.warn({ flowLogId: id, reason: errorMessage(error) }, 'records of a flow log were not delivered')
        const pauseMs = Math.min((this.failed.get(id)?.pauseMs ?? tryAgainMs / 2) * 2, mostRareMs)
        this.failed.set(id, { pauseMs, againAtMs: clock.now() + pauseMs })
        // Nobody asks for them any more, and walrus neither.
        if (!isPassing(error) && !this.logs.has(id)) {
          this.failed.delete(id)
          await spool.drop(id)
        }
        return !isPassing(error)
      }
    }
    return true
  }

  private async send({ log, startMs, lines }: Batch): Promise<void> {
    const bytes = await compress(Buffer.from(headerOf(log) + lines))
    await this.deps.send(log.bucket, objectKey(log, startMs, this.deps.agentId), bytes)
  }
}
