import { assert } from '@mallee/base'
import type { CrashCloud } from './crash-cloud.ts'
import { nodeNotes } from './host.ts'
import { until } from './until.ts'
import { newName, type Workflow } from './workflow.ts'

/** Guests that launches left running, for the workflows that need one. */
const pools = new WeakMap<CrashCloud, string[]>()

function poolOf(world: CrashCloud): string[] {
  const pool = pools.get(world) ?? []
  pools.set(world, pool)
  return pool
}

const isRunning = async (world: CrashCloud, id: string) =>
  (await world.guests()).some((row) => row.id === id && row.state === 'running')

const incarnationOf = (itemId: string) => Number(itemId.split('/')[1])

async function takeVictim(world: CrashCloud): Promise<string> {
  const present = poolOf(world).pop()
  if (present !== undefined) return present
  const answer = await world.launch(newName('victim'))
  const id = answer?.xml.instancesSet.item[0].instanceId as string
  await until('a victim', () => isRunning(world, id))
  return id
}

export const launch: Workflow = {
  name: 'launch',
  daemons: ['cloud', 'node'],
  fromStart: false,
  async prepare(world) {
    const token = newName('launch')
    const before = new Set((await world.guests()).map((row) => row.id))
    const made = async () => (await world.guests()).filter((row) => !before.has(row.id))
    let acknowledged: string | null = null
    return {
      async act() {
        const answer = await world.launch(token)
        if (answer?.status === 200) acknowledged = answer.xml.instancesSet.item[0].instanceId as string
      },
      async isDone() {
        const rows = await made()
        return rows.length > 0 && rows.every((row) => row.state === 'running')
      },
      async settle() {
        const rows = await made()
        assert(rows.length <= 1, `one launch made ${rows.map((row) => row.id).join()}`)
        if (acknowledged !== null)
          assert(rows[0]?.id === acknowledged, `${acknowledged} was acknowledged and is lost`)
        // The client repeats itself: its token makes that the same launch.
        const again = await until('the launch, repeated', async () => {
          const answer = await world.launch(token)
          return answer?.status === 200 && (answer.xml.instancesSet.item[0].instanceId as string)
        })
        assert(rows.length === 0 || rows[0]!.id === again, `the token made ${rows[0]?.id} and then ${again}`)
        await until('the guest', () => isRunning(world, again))
        poolOf(world).push(again)
      },
    }
  },
}

export const reboot: Workflow = {
  name: 'reboot',
  daemons: ['cloud', 'node'],
  fromStart: false,
  async prepare(world) {
    const id = await takeVictim(world)
    const countOf = async () => {
      const notes = Object.entries(await nodeNotes(world.dir)).filter(([name]) => name.startsWith(`${id}/`))
      const newest = notes.toSorted((a, b) => incarnationOf(a[0]) - incarnationOf(b[0])).at(-1)
      return newest?.[1].rebootCount ?? 0
    }
    const before = await countOf()
    const start = (await world.host.domains()).get(id)
    let acknowledged = false
    const ask = async () =>
      (await world.client.ec2('RebootInstances', { 'InstanceId.1': id }))?.status === 200
    return {
      async act() {
        acknowledged = await ask()
      },
      isDone: async () => (await countOf()) > before,
      async settle() {
        if (!acknowledged) await until('the reboot, repeated', ask)
        await until('the reboot', async () => (await countOf()) > before)
        assert((await world.host.domains()).get(id) === start, `a reboot ended ${id} or started it anew`)
        poolOf(world).push(id)
      },
    }
  },
}

export const terminate: Workflow = {
  name: 'terminate',
  daemons: ['cloud', 'node'],
  fromStart: false,
  async prepare(world) {
    const id = await takeVictim(world)
    let acknowledged = false
    const ask = async () =>
      (await world.client.ec2('TerminateInstances', { 'InstanceId.1': id }))?.status === 200
    const isGone = async () => (await world.guests()).every((row) => row.id !== id)
    return {
      async act() {
        acknowledged = await ask()
      },
      isDone: isGone,
      async settle() {
        if (!acknowledged) await until('the termination, repeated', ask)
        await until('the end', isGone)
      },
    }
  },
}

/** The node controller starts anew over guests that run. */
export const adopt: Workflow = {
  name: 'adopt',
  daemons: ['node'],
  fromStart: true,
  async prepare(world) {
    const victim = await takeVictim(world)
    poolOf(world).push(victim)
    const before = await world.host.domains()
    return {
      act: () => Promise.resolve(),
      async isDone() {
        await world.node.untilReady()
        return true
      },
      async settle() {
        const after = await world.host.domains()
        for (const [id, start] of before)
          assert(after.get(id) === start, `${id} did not live through the restart`)
      },
    }
  },
}
