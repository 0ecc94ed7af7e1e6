import { compilePolicy, isPublic, parsePolicy, type CompiledPolicy } from '@mallee/iam-policy'

/** S3's limit on a bucket's policy, in bytes. */
export const maxPolicyBytes = 20 * 1024

export interface ReadyPolicy {
  readonly compiled: CompiledPolicy
  /** As Block Public Access means it. */
  readonly isPublic: boolean
}

/** Policies by their text: a bucket's is asked with every request, and seldom changes. */
const ready = new Map<string, ReadyPolicy>()
const mostReady = 1000

/** Of a text that was checked when it was put. */
export function readyPolicy(text: string): ReadyPolicy {
  const known = ready.get(text)
  if (known) return known
  const policy = parsePolicy(text, { kind: 'resource', maxBytes: maxPolicyBytes })
  const made = { compiled: compilePolicy(policy, 'bucket policy'), isPublic: isPublic(policy) }
  if (ready.size >= mostReady) ready.clear()
  ready.set(text, made)
  return made
}
