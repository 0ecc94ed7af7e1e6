import { mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { writeAtomically } from '@mallee/base'
import type { AgentKind } from '@mallee/agent-contract'

/** Who an agent is: what its join token bought. The private key never leaves this file (mode 0600). */
export interface AgentIdentity {
  readonly agentId: string
  readonly kind: AgentKind
  readonly name: string
  readonly availabilityZone: string
  readonly region: string
  readonly key: string
  readonly certificate: string
  readonly authority: string
  readonly cloudUrl: string
  /** CIDR of the cloud's public addresses; absent in identities of the first release. */
  readonly publicPool?: string
}

const fileName = 'identity.json'

export async function loadIdentity(dir: string): Promise<AgentIdentity | null> {
  try {
    return JSON.parse(await readFile(path.join(dir, fileName), 'utf8')) as AgentIdentity
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

export async function saveIdentity(dir: string, identity: AgentIdentity): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await writeAtomically(path.join(dir, fileName), `${JSON.stringify(identity, null, 2)}\n`)
}
