import type { Tx } from './record.ts'
import type { AgentTable } from './tables.ts'
import { transitionAgent } from './transition.ts'

/** Lets an agent take part again, or gives it nothing new from here on. One that was being drained no longer is. */
export async function letTakePart(tx: Tx, agent: AgentTable, takesPart: boolean): Promise<void> {
  await transitionAgent(tx, agent, takesPart ? 'enableAsked' : 'disableAsked')
  if (!takesPart) return
  await tx.db.updateTable('agent').set({ draining_since: null }).where('id', '=', agent.id).execute()
}
