/**
 * A policy as it is once parsed: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
 * Where AWS takes one value or a list, this is a list; whatever may not be is already refused.
 */
import type { Pattern } from './pattern.ts'

/** What the policy is attached to: it decides which elements a statement must have and which it may not. */
export type PolicyKind = 'identity' | 'resource' | 'trust'

export interface Policy {
  readonly kind: PolicyKind
  /** Variables are text before 2012-10-17. */
  readonly version: '2008-10-17' | '2012-10-17'
  readonly id: string | null
  readonly statements: readonly Statement[]
}

export interface Statement {
  readonly sid: string | null
  readonly effect: 'Allow' | 'Deny'
  /** Whom it is about; null in policies of identities, which are about whom they are attached to. */
  readonly principals: PrincipalElement | null
  readonly actions: ActionElement
  /** What it is about; null in trust policies, which are about the role they belong to. */
  readonly resources: ResourceElement | null
  readonly conditions: readonly Condition[]
}

export interface PrincipalElement {
  /** NotPrincipal. */
  readonly negated: boolean
  readonly patterns: readonly PrincipalPattern[]
}

export type PrincipalPattern =
  | { readonly kind: 'everyone' }
  | { readonly kind: 'account'; readonly accountId: string }
  /** A user, a role, a session of a role or a session of a federated user. */
  | { readonly kind: 'arn'; readonly arn: string; readonly accountId: string }
  /** What AWS shows in place of a user or role that is gone: AIDA…, AROA…. */
  | { readonly kind: 'uniqueId'; readonly uniqueId: string }
  | { readonly kind: 'canonicalUser'; readonly canonicalUserId: string }
  | { readonly kind: 'service'; readonly service: string }
  | { readonly kind: 'federated'; readonly provider: string }

export interface ActionElement {
  /** NotAction. */
  readonly negated: boolean
  /** `*`, or a vendor and a name that may hold wildcards; as written. */
  readonly patterns: readonly string[]
}

export interface ResourceElement {
  /** NotResource. */
  readonly negated: boolean
  readonly patterns: readonly Pattern[]
}

export interface Condition {
  readonly operator: OperatorName
  readonly set: 'ForAllValues' | 'ForAnyValue' | null
  readonly ifExists: boolean
  /** As written; names of keys have no case. */
  readonly key: string
  /** Strings, numbers and booleans alike as text; in string and ARN operators wildcards and variables are in it. */
  readonly values: readonly Pattern[]
}

export type OperatorName =
  | 'StringEquals'
  | 'StringNotEquals'
  | 'StringEqualsIgnoreCase'
  | 'StringNotEqualsIgnoreCase'
  | 'StringLike'
  | 'StringNotLike'
  | 'NumericEquals'
  | 'NumericNotEquals'
  | 'NumericLessThan'
  | 'NumericLessThanEquals'
  | 'NumericGreaterThan'
  | 'NumericGreaterThanEquals'
  | 'DateEquals'
  | 'DateNotEquals'
  | 'DateLessThan'
  | 'DateLessThanEquals'
  | 'DateGreaterThan'
  | 'DateGreaterThanEquals'
  | 'Bool'
  | 'BinaryEquals'
  | 'IpAddress'
  | 'NotIpAddress'
  | 'ArnEquals'
  | 'ArnNotEquals'
  | 'ArnLike'
  | 'ArnNotLike'
  | 'Null'
