import { rm } from 'node:fs/promises'
import path from 'node:path'
import { assert } from '@mallee/base'
import { until } from './until.ts'
import { newName, type Workflow } from './workflow.ts'

interface Agent {
  readonly name: string
  readonly fingerprint: { readonly healthy?: boolean } | null
}

/** A second node buys its identity with a token, is seen to be well, and is forgotten again. */
export const join: Workflow = {
  name: 'join',
  daemons: ['cloud', 'joiner'],
  fromStart: true,
  async prepare(world) {
    const name = newName('joiner')
    await world.newToken('node', name)
    const joiner = await world.extraNode(name)
    const agents = async () =>
      (await world.admin<{ agents: Agent[] }>('GET', '/admin/v1/status')).agents.filter(
        (agent) => agent.name === name,
      )
    const isWell = async () => (await agents())[0]?.fingerprint?.healthy === true
    return {
      joiner,
      act: () => Promise.resolve(),
      isDone: isWell,
      async settle() {
        await until('the node that joins', isWell)
        assert((await agents()).length === 1, 'one token made two agents')
        await joiner.kill()
        // Refused until it has been silent for a while.
        const forget = () => world.admin('POST', `/admin/v1/agents/${name}/forget`, { fenced: true })
        await until('a node that can be forgotten', async () => Boolean(await forget()))
        await rm(path.join(world.dir, name), { recursive: true, force: true })
      },
    }
  },
}
