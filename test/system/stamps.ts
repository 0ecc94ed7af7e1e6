import type { ChildProcess } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { assert } from '@mallee/base'
import { until, type Guest } from '@mallee/testkit'
import type { Story } from './launches.ts'

/** Blocks of 4 KiB that are written round and round. */
const blocks = 64
/** Between the numbers of two generations: more than can have been written and not been heard of. */
const gap = 1_000

/** The last stamp of each block that was acknowledged, and the last number that may be on the volume. */
export interface Acknowledged {
  readonly byBlock: ReadonlyMap<number, number>
  readonly last: number
}

/**
 * What guests were told is on a volume. A guest writes numbers that only rise, one to a block, and prints each after its
 * fsync. Each writer is a generation of its own with numbers of its own: a stamp that is older than what was acknowledged
 * in its block is a write that was lost, or one of a writer that should not have been there.
 */
export class Stamps {
  private readonly story: Story
  private readonly acknowledged = new Map<number, number>()
  private last = 0
  private mostIssued = 0
  private generation = 0
  private writer: { child: ChildProcess; file: string } | null = null

  constructor(story: Story) {
    this.story = story
  }

  /** Starts a writer and waits until it was told of some writes. */
  async write(guest: Guest, device: string): Promise<void> {
    assert(this.writer === null, 'there is a writer already')
    this.generation += 1
    const { host, client } = this.story
    const file = `${host.stateDir}/stamps-${this.generation}`
    const first = Math.ceil((this.mostIssued + 1) / gap) * gap
    // A dd that comes when the disk is gone makes a file of that name, which is no acknowledgement.
    const script = [
      `n=${first}; while [ ! -e /tmp/stop-${this.generation} ]`,
      `do printf '%-4095s\\n' "$n:${this.generation}" | dd of=${device} bs=4096 seek=$((n % ${blocks})) conv=fsync,notrunc 2>/dev/null && [ -b ${device} ] && echo $n || { echo failed; break; }`,
      `n=$((n+1)); done; [ -b ${device} ] || rm -f ${device}; echo end`,
    ].join('; ')
    const words = [
      'StrictHostKeyChecking=no',
      'UserKnownHostsFile=/dev/null',
      'LogLevel=ERROR',
      'BatchMode=yes',
    ]
    const options = words.map((word) => `-o ${word}`).join(' ')
    const ssh = `exec ssh -i "$1" ${options} "root@$2" "$3" > "$4" 2>&1`
    const child = host.start('sh', ['-c', ssh, 'sh', client.keyFile, guest.publicIp, script, file])
    this.writer = { child, file }
    await this.more(3)
  }

  /** Waits until so many more writes are acknowledged. */
  async more(count: number): Promise<void> {
    this.hear()
    const enough = this.last + count
    await until('the guest writes on', 60, () => {
      this.hear()
      const { lines } = this.heard()
      assert(!lines.includes('failed'), 'a write of the guest failed')
      return Promise.resolve(this.last >= enough && this.last % gap >= count - 1)
    })
  }

  /** Ends the writer; none of its writes may have failed. */
  async stop(guest: Guest): Promise<void> {
    await this.story.client.inGuest(guest.publicIp, `touch /tmp/stop-${this.generation}`)
    await until('the writer ends', 60, () => Promise.resolve(this.heard().lines.includes('end')))
    this.hear()
    assert(!this.heard().lines.includes('failed'), 'a write of the guest failed')
    this.mostIssued = this.last
    this.writer = null
  }

  /** The guest has lost the disk, or its life, and with it the writer. What was not heard of may have been written. */
  lost(): void {
    this.writer!.child.kill('SIGKILL')
    this.hear()
    this.mostIssued = this.last + gap - 1 - (this.last % gap)
    this.writer = null
  }

  /** What a copy of this moment has to hold. */
  now(): Acknowledged {
    this.hear()
    const last = this.writer ? this.last + 1 : this.mostIssued
    return { byBlock: new Map(this.acknowledged), last }
  }

  /** Reads the disk itself, and holds it against what was acknowledged: of this moment, or of an earlier and a later one. */
  async check(guest: Guest, device: string, least: Acknowledged = this.now(), most = least): Promise<void> {
    const command = `echo 3 > /proc/sys/vm/drop_caches; dd if=${device} bs=4096 count=${blocks} 2>/dev/null | tr -d ' \\000'`
    const text = await this.story.client.inGuest(guest.publicIp, command)
    const found = new Map<number, number>()
    let before = -1
    for (const line of text.split('\n')) {
      const number = Number(line.split(':')[0])
      const block = number % blocks
      assert(block > before, `block ${block} comes after block ${before}: ${line}`)
      assert(
        number <= most.last,
        `${number} was written by nobody that should have: the last is ${most.last}`,
      )
      found.set(block, number)
      before = block
    }
    assert(least.byBlock.size > 0, 'nothing was acknowledged')
    for (const [block, number] of least.byBlock)
      assert((found.get(block) ?? -1) >= number, `block ${block} holds ${found.get(block)}, not ${number}`)
  }

  private heard(): { lines: string[] } {
    const file = this.writer?.file
    const text = file && existsSync(file) ? readFileSync(file, 'utf8') : ''
    return { lines: text.slice(0, text.lastIndexOf('\n') + 1).split('\n') }
  }

  private hear(): void {
    for (const line of this.heard().lines) {
      if (!/^\d+$/.test(line)) continue
      const number = Number(line)
      this.acknowledged.set(number % blocks, Math.max(number, this.acknowledged.get(number % blocks) ?? 0))
      this.last = Math.max(this.last, number)
    }
  }
}
