import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { MalleeError, type Clock } from '@mallee/base'
import { claimName } from '@mallee/service-kit'

export interface FolderClaim {
  /** What is sent to a process that is to hold it too: the socket itself, since a server would listen there anew. */
  readonly handle: unknown
  readonly giveUp: () => Promise<void>
}

const retryMs = 100
const patienceMs = 10_000

/**
 * One walrus for one data folder: the sweep at start would take another's fresh bytes for nobody's. The claim is a name
 * that goes with the last process that holds it: it can be handed to others. Waits for one that is just ending; throws
 * `DataFolderInUse`.
 */
export async function claimFolder(dir: string, clock: Clock): Promise<FolderClaim> {
  const digest = createHash('sha256')
    .update(await realpath(dir))
    .digest('hex')
  const until = clock.now() + patienceMs
  for (;;) {
    const server = await claimName(`mallee-walrus-${digest.slice(0, 40)}`)
    if (server) {
      const giveUp = () => new Promise<void>((resolve) => void server.close(() => resolve()))
      return { handle: (server as unknown as { _handle: unknown })._handle, giveUp }
    }
    if (clock.now() >= until) {
      throw new MalleeError({
        code: 'DataFolderInUse',
        publicMessage: `Another walrus is using ${dir}.`,
        retryable: true,
      })
    }
    await clock.sleep(retryMs)
  }
}
