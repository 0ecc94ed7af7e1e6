import { compilePolicy, type CompiledPolicy } from './compile-policy.ts'
import { parsePolicy } from './parse-policy.ts'
import type { PolicyKind } from './policy.ts'
import { PolicySyntaxError } from './policy-syntax-error.ts'
import { splitQuotaPolicy } from './quota-policy.ts'

/** The largest document that IAM or S3 takes is far below; a kept one was measured when it was put. */
const anyBytes = 131_072
const most = 10_000

/**
 * Policies by their text, made ready once: documents are asked with every request and seldom change, and a text says
 * everything about itself, so that nothing here is ever out of date.
 */
export class PolicyCache {
  private readonly ready = new Map<string, CompiledPolicy>()

  /** `id` names it in explanations. A text that is no policy to us, whoever once took it for one, denies everything. */
  get(kind: PolicyKind, id: string, document: string): CompiledPolicy {
    const key = `${kind}\n${id}\n${document}`
    const known = this.ready.get(key)
    if (known) return known
    const made = compiledOrClosed(kind, id, document)
    if (this.ready.size >= most) this.ready.clear()
    this.ready.set(key, made)
    return made
  }
}

function compiledOrClosed(kind: PolicyKind, id: string, document: string): CompiledPolicy {
  try {
    return compiled(kind, id, document)
  } catch (error) {
    if (!(error instanceof PolicySyntaxError)) throw error
    const everyone = kind === 'identity' ? {} : { Principal: '*' }
    const about = kind === 'trust' ? {} : { Resource: '*' }
    const closed = { Effect: 'Deny', Action: '*', ...everyone, ...about }
    return compiled(kind, id, JSON.stringify({ Version: '2012-10-17', Statement: closed }))
  }
}

/** Limits are quotas, which are claimed and not evaluated: a policy of nothing else says nothing here. */
function compiled(kind: PolicyKind, id: string, document: string): CompiledPolicy {
  const text = kind === 'identity' ? splitQuotaPolicy(document).policy : document
  if (text === null) return { kind, id, statements: [] }
  return compilePolicy(parsePolicy(text, { kind, maxBytes: anyBytes }), id)
}

/** What the root of an account may do, and a federated session of one as far as its own policies go. */
export const allowEverything: CompiledPolicy = compilePolicy(
  parsePolicy(
    JSON.stringify({ Version: '2012-10-17', Statement: { Effect: 'Allow', Action: '*', Resource: '*' } }),
    { kind: 'identity', maxBytes: anyBytes },
  ),
  'root of the account',
)
