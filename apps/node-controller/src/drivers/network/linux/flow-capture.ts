import { systemClock, type Clock } from '@mallee/base'
import type { FlowWindow } from '../driver.ts'
import type { Commands } from './commands.ts'
import { captureMembers, captureTable, captureTableName, nextWindow, removeWindow } from './flow-ruleset.ts'
import { flowSets, readFlows } from './flow-sets.ts'
import type { NetworkPlan } from './plan.ts'

const noTable = [`table bridge ${captureTableName}`, `delete table bridge ${captureTableName}`].join('\n')

/** That wait in the kernel to be kept, at most: the last of them goes on for as long as they do. */
const mostWindows = 5

/**
 * Flows as the kernel counts them, window by window. Everything that is not yet kept is in the kernel, under names that
 * say when it began: an agent that was away finds it there. Where nothing is captured there is no table.
 */
export class FlowCapture {
  private readonly commands: Commands
  private readonly clock: Clock
  private captured: NetworkPlan['captured'] | null = null
  /** Also of interfaces that went since the last window ended. */
  private owners = new Map<string, string>()
  private mayStand = true

  constructor(commands: Commands, clock: Clock = systemClock) {
    this.commands = commands
    this.clock = clock
  }

  /** Counts what crosses these interfaces from now on, and nothing else. What was counted stays. */
  async apply({ captured }: NetworkPlan): Promise<void> {
    for (const { tap, interfaceId } of captured) this.owners.set(tap, interfaceId)
    this.captured = captured
    if (captured.length === 0 && !this.mayStand) return
    this.mayStand = true
    const windows = await this.windows()
    if (windows.length > 0) await this.commands.nft(captureMembers(captured))
    else if (captured.length > 0) await this.commands.nft(captureTable(captured, this.clock.now()))
    else this.mayStand = false
  }

  /** Ends the window under way, hands over all that ended, and forgets each as soon as it is kept. */
  async collect(keep: (window: FlowWindow) => Promise<void>): Promise<void> {
    if (!this.mayStand || this.captured === null) return
    const windows = await this.windows()
    const newest = windows.at(-1)
    if (newest === undefined) return
    if (windows.length <= mostWindows) {
      const nowMs = Math.max(this.clock.now(), newest + 1)
      await this.commands.nft(nextWindow(nowMs))
      windows.push(nowMs)
    }
    for (const [index, startMs] of windows.slice(0, -1).entries()) {
      await keep(await this.read(startMs, windows[index + 1]!))
      await this.commands.nft(removeWindow(startMs))
    }
    this.owners = new Map(this.captured.map(({ tap, interfaceId }) => [tap, interfaceId]))
    if (this.captured.length === 0) await this.remove()
  }

  async remove(): Promise<void> {
    await this.commands.nft(noTable)
    this.mayStand = false
  }

  /** When the windows that stand began, the oldest first. */
  private async windows(): Promise<number[]> {
    const text = await this.commands
      .run('nft', ['-t', 'list', 'table', 'bridge', captureTableName])
      .catch(() => '') // there is none
    return [...text.matchAll(/^\s*set out_missed_(\d+) \{/gm)]
      .map((match) => Number(match[1]))
      .toSorted((a, b) => a - b)
  }

  private async read(startMs: number, endMs: number): Promise<FlowWindow> {
    const answers = new Map<string, string>()
    // One after the other: a set may be long, and nobody is in a hurry.
    for (const { name } of flowSets) {
      const set = `${name}_${startMs}`
      const text = await this.commands.run('nft', [
        '-n',
        '-j',
        'list',
        'set',
        'bridge',
        captureTableName,
        set,
      ])
      answers.set(name, text)
    }
    return { startMs, endMs, ...readFlows(answers, this.owners) }
  }
}
