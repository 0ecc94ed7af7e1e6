import { Agent, request } from 'undici'
import type { AgentIdentity } from '@mallee/agent-kit'
import { walrusServerName } from '@mallee/pki'
import { fatal, passing } from '../node-error.ts'
import type { FetchArtifact } from './image-cache.ts'

/** Fetches images from walrus with the node's own certificate; walrus lets nodes read registered images only. */
export function walrusFetcher(options: { url: string; identity: AgentIdentity }): {
  fetch: FetchArtifact
  close(): Promise<void>
} {
  const { identity } = options
  const dispatcher = new Agent({
    connect: {
      ca: identity.authority,
      cert: identity.certificate,
      key: identity.key,
      servername: walrusServerName,
    },
    connections: 4,
  })
  return {
    async fetch(artifact, signal, from, requestId) {
      const path = `/${encodeURIComponent(artifact.bucket)}/${artifact.key.split('/').map(encodeURIComponent).join('/')}`
      const response = await request(new URL(path, options.url), {
        method: 'GET',
        dispatcher,
        signal,
        // So that walrus' log speaks of the launch too.
        headers: {
          ...(requestId ? { 'x-mallee-cause': requestId } : {}),
          ...(from > 0 ? { range: `bytes=${from}-` } : {}),
        },
      }).catch((error: unknown) => {
        throw passing('WalrusAway', 'Walrus does not answer.', error)
      })
      if (response.statusCode === (from > 0 ? 206 : 200)) return response.body
      await response.body.dump()
      const sentence = `Walrus answered ${response.statusCode} for the image ${artifact.imageId}.`
      throw response.statusCode === 404 ? fatal('ImageGone', sentence) : passing('WalrusRefused', sentence)
    },
    close: () => dispatcher.destroy(),
  }
}
