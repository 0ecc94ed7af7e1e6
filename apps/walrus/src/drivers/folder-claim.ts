import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { MalleeError, type Clock } from '@mallee/base'
import { claimName } from '@mallee/service-kit'

const retryMs = 100
const patienceMs = 10_000

/**
 * One walrus for one data folder: the sweep at start would take another's fresh bytes for nobody's. The claim is a name
 * that goes with the process that holds it. Waits for one that is just ending; throws `DataFolderInUse`. Answers how to
 * give the claim up.
 */
export async function claimFolder(dir: string, clock: Clock): Promise<() => Promise<void>> {
  const digest = createHash('sha256')
    .update(await realpath(dir))
    .digest('hex')
  const until = clock.now() + patienceMs
  for (;;) {
    const server = await claimName(`mallee-walrus-${digest.slice(0, 40)}`)
    if (server) {
      return () =>
        new Promise((resolve) => {
          server.close(() => resolve())
        })
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
