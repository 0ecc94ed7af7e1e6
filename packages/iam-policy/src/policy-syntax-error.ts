import { MalleeError } from '@mallee/base'

/** A policy that AWS would refuse too; `reason` is a sentence for its author, in AWS's words where those are known. */
export class PolicySyntaxError extends MalleeError {
  override readonly name = 'PolicySyntaxError'
  readonly reason: string

  constructor(reason: string) {
    super({ code: 'MalformedPolicy', publicMessage: reason })
    this.reason = reason
  }
}

/** Refuses the policy. What is quoted of it is cut: the reason goes into an answer. */
export function refuse(reason: string, quoted?: string): never {
  if (quoted === undefined) throw new PolicySyntaxError(reason)
  throw new PolicySyntaxError(`${reason}: ${quoted.length > 100 ? `${quoted.slice(0, 100)}…` : quoted}`)
}
