import { assert, type Random } from '@mallee/base'
import type { SimulatedCloud } from './simulated-cloud.ts'

interface Launch {
  readonly token: string
  readonly count: number
  /** What it was told; null while it never got an answer. */
  ids: string[] | null
}

/**
 * A client that remembers what it was told. Some answers do not reach it, and then it repeats itself with the same
 * token, as SDKs do. Whatever was acknowledged must be true from then on.
 */
export class SimulatedClient {
  readonly launches: Launch[] = []
  /** Instances whose end somebody asked for, or brought about from inside, or that could not be launched. */
  readonly mayEnd = new Set<string>()
  readonly terminationsAcknowledged = new Set<string>()
  readonly rebootsAcknowledged = new Map<string, number>()
  /** What the tag may be: the value acknowledged last, those whose fate is unknown since, and those of the same turn. */
  readonly tags = new Map<string, { value: string | null; turn: number }[]>()
  private readonly random: Random
  private nextToken = 1
  private turn = 0

  constructor(random: Random) {
    this.random = random
  }

  /** What is asked in one turn is asked at the same time. */
  nextTurn(): void {
    this.turn += 1
  }

  async act(cloud: SimulatedCloud, alive: readonly string[]): Promise<void> {
    const dice = this.random.fraction()
    const open = this.launches.filter((launch) => launch.ids === null)
    if (open.length > 0 && dice < 0.15) return this.launch(cloud, this.pick(open))
    if (alive.length === 0 || dice < 0.4) return this.launch(cloud, this.newLaunch())
    const id = this.pick(alive)
    if (dice < 0.65) return this.terminate(cloud, id)
    if (dice < 0.85) return this.reboot(cloud, id)
    return this.tag(cloud, id)
  }

  newLaunch(): Launch {
    const count = this.random.fraction() < 0.6 ? 1 : 2 + Math.floor(this.random.fraction() * 2)
    const launch = { token: `token-${this.nextToken++}`, count, ids: null }
    this.launches.push(launch)
    return launch
  }

  async launch(cloud: SimulatedCloud, launch: Launch): Promise<void> {
    const answer = await this.ask(() => cloud.run(launch.count, launch.token))
    if (answer === null) return
    const ids = [...answer.matchAll(/<instanceId>(i-[0-9a-f]+)<\/instanceId>/g)].map((match) => match[1]!)
    // Later answers lack what was terminated and forgotten meanwhile.
    const known = launch.ids
    assert(ids.length > 0 && ids.length <= launch.count, `a launch of ${launch.count} answered ${ids.length}`)
    assert(
      !known || ids.every((id) => known.includes(id)),
      `one token made ${known?.join()} and ${ids.join()}`,
    )
    if (known) return
    launch.ids = ids
  }

  private async terminate(cloud: SimulatedCloud, id: string): Promise<void> {
    this.mayEnd.add(id) // asked for, whether or not we hear of it
    const answer = await this.ask(() => cloud.call('TerminateInstances', { 'InstanceId.1': id }))
    if (answer !== null) this.terminationsAcknowledged.add(id)
  }

  private async reboot(cloud: SimulatedCloud, id: string): Promise<void> {
    const answer = await this.ask(() => cloud.call('RebootInstances', { 'InstanceId.1': id }))
    if (answer !== null) this.rebootsAcknowledged.set(id, (this.rebootsAcknowledged.get(id) ?? 0) + 1)
  }

  private async tag(cloud: SimulatedCloud, id: string): Promise<void> {
    const value = String(this.nextToken++)
    const turn = this.turn
    const known = this.tags.get(id) ?? [{ value: null, turn: -1 }]
    this.tags.set(id, [...known, { value, turn }])
    const answer = await this.ask(() =>
      cloud.call('CreateTags', { 'ResourceId.1': id, 'Tag.1.Key': 'is', 'Tag.1.Value': value }),
    )
    if (answer === null) return
    // Calls of one turn are under way together: whichever came last is right.
    this.tags.set(
      id,
      this.tags.get(id)!.filter((one) => one.turn === turn),
    )
  }

  /** The body of an answer that arrived and says that it was done; null for every other. */
  private async ask(call: () => Promise<{ status: number; body: string }>): Promise<string | null> {
    const lost = this.random.fraction() < 0.1
    const answer = await call()
    const expected = answer.status === 200 || answer.status >= 500 || refusals.test(answer.body)
    assert(expected, `an answer that nobody expected: ${answer.body}`)
    return answer.status === 200 && !lost ? answer.body : null
  }

  private pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random.fraction() * list.length)]!
  }
}

/** What the cloud may refuse: no node that answers, no room, or an instance that is on its way out. */
const refusals =
  /InsufficientInstanceCapacity|InsufficientFreeAddresses|InsufficientAddressCapacity|IncorrectState|IncorrectInstanceState|InvalidInstanceID\.NotFound|InstanceLimitExceeded|VcpuLimitExceeded|IdempotentInstanceTerminated|RequestLimitExceeded/
