import { MalleeError } from '@mallee/base'
import { agentKinds, type AgentKind } from '@mallee/agent-contract'

/**
 * A join token names its kind and the authority it will believe, so that an agent cannot be led to a stranger's cloud:
 * `mallee.KIND.SHA256-OF-AUTHORITY.SECRET`. One use; the cloud keeps only a digest of the secret.
 */
export interface JoinToken {
  readonly kind: AgentKind
  readonly fingerprint: string
  readonly secret: string
}

export function formatJoinToken(token: JoinToken): string {
  return `mallee.${token.kind}.${token.fingerprint}.${token.secret}`
}

export function parseJoinToken(text: string): JoinToken {
  const match = /^mallee\.([a-z]+)\.([0-9a-f]{64})\.([A-Za-z0-9_-]{20,100})$/.exec(text.trim())
  const kind = agentKinds.find((known) => known === match?.[1])
  if (!match || !kind)
    throw new MalleeError({ code: 'BadJoinToken', publicMessage: 'This is no join token.' })
  return { kind, fingerprint: match[2]!, secret: match[3]! }
}
