import { systemClock, type Clock, type Log } from '@mallee/base'
import { createCertificateRequest, renewAtMs } from '@mallee/pki'
import type { CloudClient } from './cloud-client.ts'
import { saveIdentity, type AgentIdentity } from './identity.ts'

const lookEveryMs = 6 * 60 * 60 * 1000

/** Renews the certificate by itself at two thirds of its life, under the same key; resolves when the signal aborts. */
export async function keepCertificate(options: {
  identity: AgentIdentity
  client: CloudClient
  dir: string
  log: Log
  signal: AbortSignal
  clock?: Clock
  onRenewed?: (identity: AgentIdentity) => void
}): Promise<void> {
  const clock = options.clock ?? systemClock
  let identity = options.identity
  while (!options.signal.aborted) {
    if (clock.now() >= renewAtMs(identity.certificate)) {
      try {
        const { request } = await createCertificateRequest(identity.name, identity.key)
        const answer = await options.client.renew(request)
        identity = { ...identity, certificate: answer.certificate, authority: answer.authority }
        await saveIdentity(options.dir, identity)
        options.client.renewed({ ...identity, url: identity.cloudUrl })
        options.onRenewed?.(identity)
        options.log.info({ agentId: identity.agentId }, 'the certificate was renewed')
      } catch (error) {
        options.log.warn({ err: error }, 'the certificate could not be renewed yet')
      }
    }
    await clock.sleep(lookEveryMs, options.signal)
  }
}
