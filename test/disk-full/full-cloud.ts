import { readdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { assert } from '@mallee/base'
import { checkSettled } from '../crash/check-settled.ts'
import { CrashCloud } from '../crash/crash-cloud.ts'
import type { Daemon } from '../crash/daemon.ts'
import type { Host } from '../crash/host.ts'
import { until } from '../crash/until.ts'
import { SmallDisk } from './small-disk.ts'

/** The cloud of the crash tests, with a small disk under every folder that one of its daemons writes. */
export class FullCloud {
  readonly world: CrashCloud
  readonly disks: { cloud: SmallDisk; walrus: SmallDisk; node: SmallDisk; log: SmallDisk }

  private constructor(world: CrashCloud, disks: FullCloud['disks']) {
    this.world = world
    this.disks = disks
  }

  static async start(hostIn: (dir: string) => Promise<Host> | Host): Promise<FullCloud> {
    let disks: FullCloud['disks'] | null = null
    let stateDir = ''
    const world = await CrashCloud.start(async (dir) => {
      stateDir = dir
      const at = (name: string) => SmallDisk.mount(path.join(dir, name))
      disks = {
        cloud: await at('cloud'),
        walrus: await at('walrus'),
        node: await at('node-controller'),
        log: await at('log'),
      }
      return hostIn(dir)
    }).catch(async (error: unknown) => {
      await tellTroubles(stateDir)
      throw error
    })
    return new FullCloud(world, disks!)
  }

  async stop(): Promise<void> {
    await this.world.stop({ keep: true })
    for (const disk of Object.values(this.disks)) await disk.unmount()
    await rm(this.world.dir, { recursive: true, force: true })
  }

  /** All three are the processes that they were. */
  get alive(): boolean {
    return this.world.daemons.every((daemon) => daemon.alive)
  }

  async state(id: string): Promise<string> {
    return (await this.instance(id)).instanceState.name as string
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- an answer of the API
  async instance(id: string): Promise<any> {
    const answer = await this.world.client.ec2('DescribeInstances', { 'InstanceId.1': id })
    assert(answer?.status === 200, answer?.text ?? 'no answer')
    return answer.xml.reservationSet.item[0].instancesSet.item[0]
  }

  async running(id: string): Promise<void> {
    await until(`${id} runs`, async () => (await this.state(id)) === 'running')
  }

  /** As a supervisor would: started again until it stays; it must either work or end, and never hang. */
  async restarted(daemon: Daemon): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      const stands = await daemon.revive().then(
        () => true,
        () => false,
      )
      if (stands && daemon.alive) return
      assert(tries < 20, `${daemon.name} does not start again`)
    }
  }

  /** After there was room again: everything works, nothing lies about, and fsck has nothing to say. */
  async well(): Promise<void> {
    const launched = await until('a launch', async () => {
      const answer = await this.world.launch(`well-${Math.random()}`)
      return answer?.status === 200 && answer
    })
    const id = launched.xml.instancesSet.item[0].instanceId as string
    await this.running(id)
    await checkSettled(this.world)
    const incoming = await readdir(path.join(this.world.dir, 'walrus/data/incoming'))
    assert(incoming.length === 0, `walrus left ${incoming.join()}`)
    const left = (await readdir(this.world.dir, { recursive: true })).filter((name) =>
      /\.(new|part|tmp)$|\.staging/.test(name),
    )
    assert(left.length === 0, `left behind: ${left.join()}`)
  }
}

/** What the daemons complained of, for whoever has to find out why a chapter failed. */
export async function tellTroubles(stateDir: string): Promise<void> {
  for (const name of await readdir(path.join(stateDir, 'log'))) {
    const lines = (await readFile(path.join(stateDir, 'log', name), 'utf8')).split('\n')
    const troubles = lines.filter((line) => line !== '' && !line.includes('"level":30')).slice(-6)
    if (troubles.length > 0)
      process.stdout.write(`${name}:\n${troubles.map((line) => line.slice(0, 900)).join('\n')}\n`)
  }
}

/** A refusal that says: our fault, not yours. */
export function assertRefused(
  answer: { readonly status: number; readonly text: string } | null | undefined,
  what: string,
  codes: RegExp,
): asserts answer {
  assert(answer, `${what}: no answer`)
  const code = /<Code>([^<]*)<\/Code>/.exec(answer.text)?.[1] ?? ''
  assert(answer.status >= 500 && codes.test(code), `${what}: ${answer.status} ${answer.text.slice(0, 300)}`)
  assert(!/ENOSPC|SQLITE|\/tmp\//.test(answer.text), `${what} tells of our insides: ${answer.text}`)
}
