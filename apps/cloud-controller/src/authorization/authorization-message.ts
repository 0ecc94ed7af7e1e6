import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { ContextValue, Decision, PolicyRequest } from '@mallee/iam-policy'
import type { Keyring } from '../identity/keyring.ts'

/**
 * What DecodeAuthorizationMessage shows of a refusal: the statement that denied, or the place where nothing allowed.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html
 */
export interface AuthorizationMessage {
  readonly allowed: false
  readonly explicitDeny: boolean
  readonly matchedStatements: {
    readonly items: readonly {
      readonly statementId: string
      readonly effect: 'DENY'
      /** ARN or name of the policy. */
      readonly sourcePolicyId: string
      readonly sourcePolicyType: string
      /** From 0. */
      readonly statementIndex: number
    }[]
  }
  readonly failures: { readonly items: readonly { readonly code: string; readonly detail: string }[] }
  readonly context: {
    readonly principal: { readonly id: string; readonly arn: string }
    readonly action: string
    readonly resource: string
    readonly conditions: {
      readonly items: readonly {
        readonly key: string
        readonly values: { readonly items: readonly { readonly value: string }[] }
      }[]
    }
  }
}

const boundTo = 'authorization message'
const longest = 65_536

export function authorizationMessage(request: PolicyRequest, decision: Decision): AuthorizationMessage {
  const { principal, action, resource, context } = request
  return {
    allowed: false,
    explicitDeny: decision.outcome === 'explicitDeny',
    matchedStatements: {
      items: decision.statements.map((statement) => ({
        statementId: statement.sid ?? '',
        effect: 'DENY',
        sourcePolicyId: statement.policyId ?? '',
        sourcePolicyType: statement.place,
        statementIndex: statement.statementIndex,
      })),
    },
    failures: {
      items: decision.lacking
        ? [{ code: 'NoStatementAllows', detail: `no ${policyWords[decision.lacking]} allows it` }]
        : [],
    },
    context: {
      principal: 'arn' in principal ? { id: principal.userId, arn: principal.arn } : { id: '', arn: '' },
      action,
      resource,
      conditions: {
        items: Object.entries(context)
          .filter(([, value]) => value !== undefined && value !== null)
          .map(([key, value]) => ({ key, values: { items: texts(value).map((text) => ({ value: text })) } })),
      },
    },
  }
}

/** Sealed, since it tells of policies that the refused may not read. */
export function encodeMessage(keyring: Keyring, message: AuthorizationMessage): string {
  const text = deflateRawSync(Buffer.from(JSON.stringify(message))).toString('base64')
  return Buffer.from(keyring.seal(text, boundTo)).toString('base64url')
}

/** Null where it is none of ours. */
export function decodeMessage(keyring: Keyring, encoded: string): AuthorizationMessage | null {
  try {
    const text = keyring.open(Buffer.from(encoded, 'base64url').toString('utf8'), boundTo)
    const json = inflateRawSync(Buffer.from(text, 'base64'), { maxOutputLength: longest })
    return JSON.parse(json.toString('utf8')) as AuthorizationMessage
  } catch {
    return null
  }
}

/** AWS's names of the places. */
export const policyWords = {
  account: 'account policy',
  identity: 'identity-based policy',
  boundary: 'permissions boundary',
  session: 'session policy',
  resource: 'resource-based policy',
} as const

function texts(value: ContextValue): string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.map((item) => (item instanceof Date ? item.toISOString() : String(item)))
}
