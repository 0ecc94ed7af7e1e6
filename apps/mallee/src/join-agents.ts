import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { writeAtomically } from '@mallee/base'
import { adminCall } from './admin-client.ts'
import { adminSocket } from './host/daemons.ts'
import type { Layout } from './layout.ts'

const localAgents = [
  { kind: 'walrus', dir: 'walrus' },
  { kind: 'storage', dir: 'storage' },
  { kind: 'node', dir: 'node' },
] as const

/** The local agents are registered as any other: each gets a join token of its kind, in a file only it reads. */
export async function giveJoinTokens(layout: Layout): Promise<void> {
  for (const agent of localAgents) {
    const file = layout.file(agent.dir, 'join-token')
    if (existsSync(layout.file(agent.dir, 'agent', 'identity.json')) || existsSync(file)) continue
    const { token } = await adminCall<{ token: string }>(adminSocket(layout), 'POST', '/admin/v1/tokens', {
      kind: agent.kind,
      availabilityZone: layout.choices.availabilityZones[0],
    })
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
    await writeAtomically(file, token)
  }
}
