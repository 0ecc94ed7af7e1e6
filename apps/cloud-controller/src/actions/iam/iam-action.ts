import { AwsError } from '@mallee/aws-protocol'
import {
  malformedPolicyDocument,
  validationError,
  type IamInput,
  type IamOutput,
  type IamTypedAction,
} from '@mallee/iam-api'
import {
  parsePolicy,
  PolicySyntaxError,
  splitQuotaPolicy,
  type Policy,
  type PolicyKind,
} from '@mallee/iam-policy'
import { quotaKeys } from '../../identity/policy-limits.ts'
import { accountQuotaKeys } from '../../store/identity/account-quotas.ts'
import type { HolderKind } from '../../store/identity/holder-store.ts'
import type { ActionContext, ActionTransaction } from '../define-action.ts'
import { page } from '../pages.ts'

export type IamAction<N extends IamTypedAction> = (
  ctx: ActionContext,
  input: IamInput<N>,
) => Promise<IamOutput<N>>

/** A part of IAM's actions, by their names. */
export type IamActions = { readonly [N in IamTypedAction]?: IamAction<N> }

const usualPage = 100

export interface MarkerInput {
  readonly MaxItems?: number | undefined
  readonly Marker?: string | undefined
}

/** One page of things as IAM's lists have them, in the order of their keys. */
export function markerPage<T>(
  ctx: ActionContext,
  things: readonly T[],
  input: MarkerInput,
  keyOf: (thing: T) => string,
): { items: T[]; rest: { IsTruncated: boolean; Marker?: string } } {
  try {
    const { items, nextToken } = page(
      ctx,
      things,
      { MaxResults: input.MaxItems ?? usualPage, NextToken: input.Marker },
      { keyOf, smallest: 1 },
    )
    return {
      items,
      rest: nextToken === undefined ? { IsTruncated: false } : { IsTruncated: true, Marker: nextToken },
    }
  } catch (error) {
    if (error instanceof AwsError) throw validationError('The Marker is not one that was given out.')
    throw error
  }
}

/** IAM counts the characters of a policy that are no white space. */
export const policySize = (document: string): number => document.replaceAll(/\s/g, '').length

/** More than the parameter can hold: the sizes that are allowed are each action's own. */
const anySize = 131_072

/** Checks a policy as AWS does. */
export function checkDocument(document: string, kind: PolicyKind = 'identity'): Policy {
  return orMalformed(() => parsePolicy(document, { kind, maxBytes: anySize }))
}

/** A policy of a holder, or of an account: Eucalyptus' limits may be in those of users and accounts, and count nowhere else. */
export function checkHeldDocument(document: string, holder: HolderKind | 'account'): void {
  const { policy, limits } = orMalformed(() => splitQuotaPolicy(document))
  if (limits.length > 0 && holder !== 'user' && holder !== 'account')
    throw malformedPolicyDocument('Limits can be set for accounts and users only.')
  for (const { key } of limits)
    if (!Object.hasOwn(quotaKeys, key) && !(holder === 'account' && accountQuotaKeys.has(key)))
      throw malformedPolicyDocument(`This cloud does not hold a ${holder} to the quota ${key}.`)
  if (policy === null) return
  const { statements } = checkDocument(policy)
  if (holder === 'account' && statements.some(({ effect }) => effect === 'Allow'))
    throw malformedPolicyDocument('A policy of an account may deny and limit, and allow nothing.')
}

/** What `read` reads; throws MalformedPolicyDocument for what is wrong with a policy. */
export function orMalformed<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof PolicySyntaxError) throw malformedPolicyDocument(error.reason)
    throw error
  }
}

/** Names what was changed for the event, and has walrus told of it, which decides by the same users and policies. */
export function changed(ctx: ActionContext, tx: ActionTransaction, ...ids: string[]): void {
  tx.touch(...ids)
  tx.afterCommit(() => ctx.wakes.keys())
}
