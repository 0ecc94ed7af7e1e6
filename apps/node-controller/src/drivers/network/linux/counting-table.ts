import { digestOf, type Clock } from '@mallee/base'
import type { FlowWindow } from '../driver.ts'
import type { Commands } from './commands.ts'
import { captureMembers, captureTable, captureTableName, nextWindow, removeWindow } from './flow-ruleset.ts'
import { flowSets, ownerKey, readFlows, readSets, type CaptureFamily, type Element } from './flow-sets.ts'
import type { CapturePlan } from './plan-flow-logs.ts'

/** That wait in the kernel to be kept, at most: the last of them goes on for as long as they do. */
const mostWindows = 5

export interface Ended {
  readonly startMs: number
  readonly endMs: number
}

/**
 * One table that counts flows, window by window: the node's, or a router's. Everything that is not yet kept is in the
 * kernel, under names that say when it began: an agent that was away finds it there.
 */
export class CountingTable {
  private readonly commands: Commands
  private readonly clock: Clock
  private readonly family: CaptureFamily
  private readonly namespace: string | undefined
  private captured: readonly CapturePlan[] | null = null
  private applied: string | null = null
  /** Also of interfaces that went since the last window ended. */
  private owners = new Map<string, string>()
  private mayStand = true

  constructor(commands: Commands, clock: Clock, family: CaptureFamily, namespace?: string) {
    this.commands = commands
    this.clock = clock
    this.family = family
    this.namespace = namespace
  }

  /** Counts what crosses these interfaces from now on, and nothing else. What was counted stays. */
  async apply(captured: readonly CapturePlan[]): Promise<void> {
    this.own(captured)
    this.captured = captured
    const digest = digestOf(captured)
    if (this.applied === digest || (captured.length === 0 && !this.mayStand)) return
    this.applied = null
    this.mayStand = true
    if ((await this.windows()).length > 0) await this.nft(captureMembers(this.family, captured))
    else if (captured.length > 0) await this.begin(captured)
    else this.mayStand = false
    this.applied = digest
  }

  /** Ends the window under way, and says which have ended. */
  async turn(): Promise<Ended[]> {
    if (!this.mayStand || this.captured === null) return []
    const windows = await this.windows()
    const newest = windows.at(-1)
    // Somebody has removed it.
    if (newest === undefined && this.captured.length > 0) await this.begin(this.captured)
    if (newest !== undefined && windows.length <= mostWindows) {
      const nowMs = Math.max(this.clock.now(), newest + 1)
      await this.nft(nextWindow(this.family, nowMs))
      windows.push(nowMs)
    }
    return windows.slice(0, -1).map((startMs, index) => ({ startMs, endMs: windows[index + 1]! }))
  }

  async read({ startMs, endMs }: Ended): Promise<FlowWindow> {
    const all = await this.list('table', captureTableName).catch(() => null)
    const sets = new Map<string, readonly Element[]>()
    for (const { name } of flowSets[this.family]) {
      const set = `${name}_${startMs}`
      // Together they may be more than one program's answer may be long.
      const listed = all ?? (await this.list('set', captureTableName, set))
      sets.set(name, listed.get(set) ?? [])
    }
    return { startMs, endMs, ...readFlows(this.family, sets, this.owners) }
  }

  async forget({ startMs }: Ended): Promise<void> {
    await this.nft(removeWindow(this.family, startMs))
  }

  /** When all that ended was read. */
  async turned(): Promise<void> {
    this.owners.clear()
    this.own(this.captured ?? [])
    if (this.captured?.length === 0 && this.mayStand) await this.remove()
  }

  async remove(): Promise<void> {
    const name = `${this.family} ${captureTableName}`
    await this.nft(`table ${name}\ndelete table ${name}\n`)
    this.mayStand = false
  }

  private begin(captured: readonly CapturePlan[]): Promise<void> {
    return this.nft(captureTable(this.family, captured, this.clock.now()))
  }

  private own(captured: readonly CapturePlan[]): void {
    for (const { interfaceId, tap, link, addresses } of captured) {
      if (this.family === 'bridge') this.owners.set(ownerKey(tap), interfaceId)
      else for (const address of addresses) this.owners.set(ownerKey(link, address), interfaceId)
    }
  }

  private async list(what: 'table' | 'set', ...names: string[]): Promise<Map<string, Element[]>> {
    const words = ['-n', '-j', 'list', what, this.family, ...names]
    return readSets(await this.commands.run('nft', words, this.namespace))
  }

  private nft(text: string): Promise<void> {
    return this.commands.nft(text, this.namespace)
  }

  /** When the windows that stand began, the oldest first. */
  private async windows(): Promise<number[]> {
    const text = await this.commands
      .run('nft', ['-t', 'list', 'table', this.family, captureTableName], this.namespace)
      .catch(() => '') // there is none
    return [...text.matchAll(/^\s*set out_missed_(\d+) \{/gm)]
      .map((match) => Number(match[1]))
      .toSorted((a, b) => a - b)
  }
}
