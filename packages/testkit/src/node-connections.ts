import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ConnectionItem } from '@mallee/agent-contract'
import { Ledger, loadIdentity } from '@mallee/agent-kit'
import { silentLog } from '@mallee/base'

/**
 * What a node was told of the volumes that it connects, their secrets with them, which are nowhere else to be had: from
 * a copy of its ledger, since the node itself has it open. Rejects where it was copied while it was being written.
 */
export async function nodeConnections(agentDir: string): Promise<readonly ConnectionItem[]> {
  const copy = await mkdtemp(path.join(tmpdir(), 'mallee-ledger-'))
  try {
    const identity = await loadIdentity(agentDir)
    await cp(path.join(agentDir, 'ledger'), copy, { recursive: true })
    const ledger = await Ledger.open({ dir: copy, privateKey: identity!.key, log: silentLog })
    return ledger.list('connection').map(({ body }) => body)
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}
