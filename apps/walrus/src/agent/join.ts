import { readFile, rm } from 'node:fs/promises'
import { errorMessage, type Clock, type Log } from '@mallee/base'
import { joinCloud, loadIdentity, type AgentIdentity } from '@mallee/agent-kit'
import type { WalrusConfig } from '../config.ts'

const tokenEveryMs = 250
const retryMs = 2_000

/** The identity that walrus has, or the one that its join token buys. Null when it was stopped while waiting. */
export async function obtainIdentity(
  config: WalrusConfig,
  deps: { log: Log; clock: Clock; signal: AbortSignal },
): Promise<AgentIdentity | null> {
  const { log, clock, signal } = deps
  const present = await loadIdentity(config.dir)
  if (present) return { ...present, cloudUrl: config.cloudUrl }
  let said = false
  while (!signal.aborted) {
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
