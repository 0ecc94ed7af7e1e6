import { readFile, rm } from 'node:fs/promises'
import { errorMessage, removeUnfinished, systemClock, type Clock, type Log } from '@mallee/base'
import { loadIdentity, type AgentIdentity } from './identity.ts'
import { joinCloud } from './join-cloud.ts'

const tokenEveryMs = 250
const retryMs = 2_000

/**
 * The identity that this agent has, or the one that its join token buys: waits for the token to appear in its file,
 * tries until the cloud answers, and removes the file. Null when it was stopped while waiting.
 */
export async function obtainIdentity(
  config: {
    readonly dir: string
    readonly cloudUrl: string
    readonly joinTokenFile: string
    readonly name: string
  },
  deps: { log: Log; clock?: Clock; signal?: AbortSignal },
): Promise<AgentIdentity | null> {
  const { log, signal } = deps
  const clock = deps.clock ?? systemClock
  await removeUnfinished(config.dir)
  const present = await loadIdentity(config.dir)
  if (present) return { ...present, cloudUrl: config.cloudUrl }
  let said = false
  while (!signal?.aborted) {
    const token = await readFile(config.joinTokenFile, 'utf8').catch(() => null)
    if (token === null) {
      if (!said) log.info({ file: config.joinTokenFile }, 'waiting for a join token')
      said = true
      await clock.sleep(tokenEveryMs, signal)
      continue
    }
    try {
      const identity = await joinCloud({ url: config.cloudUrl, token, name: config.name, dir: config.dir })
      await rm(config.joinTokenFile, { force: true })
      log.info({ agentId: identity.agentId }, 'joined the cloud')
      return identity
    } catch (error) {
      log.warn({ reason: errorMessage(error) }, 'could not join yet')
      await clock.sleep(retryMs, signal)
    }
  }
  return null
}
