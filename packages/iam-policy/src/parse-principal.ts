/**
 * Principal and NotPrincipal: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
 * A star means everyone and stands alone: it can never be part of a name.
 */
import { splitArn } from './arn-pattern.ts'
import { refuse } from './policy-syntax-error.ts'
import type { PrincipalElement, PrincipalPattern } from './policy.ts'
import type { Json } from './read-json.ts'

const invalid = 'Invalid principal in policy'

export function parsePrincipal(element: Json, negated: boolean): PrincipalElement {
  if (element === '*') return { negated, patterns: [{ kind: 'everyone' }] }
  if (!(element instanceof Map) || element.size === 0) refuse(invalid)
  const patterns: PrincipalPattern[] = []
  for (const [type, value] of element as ReadonlyMap<string, Json>) {
    const items: readonly Json[] = Array.isArray(value) ? value : [value]
    if (items.length === 0) refuse(invalid, type)
    for (const item of items) {
      if (typeof item !== 'string') refuse(invalid, type)
      patterns.push(parseOne(type, item))
    }
  }
  return { negated, patterns }
}

function parseOne(type: string, text: string): PrincipalPattern {
  switch (type) {
    case 'AWS':
      return parseAws(text)
    case 'CanonicalUser':
      if (!/^[0-9A-Fa-f]{64}$/.test(text)) refuse(invalid, text)
      return { kind: 'canonicalUser', canonicalUserId: text.toLowerCase() }
    case 'Service':
      if (text.length > 255 || !/^[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+$/.test(text)) refuse(invalid, text)
      return { kind: 'service', service: text }
    case 'Federated':
      if (text.length > 255 || !/^[\w:./@+=,-]+$/.test(text)) refuse(invalid, text)
      return { kind: 'federated', provider: text }
    default:
      return refuse(invalid, type)
  }
}

function parseAws(text: string): PrincipalPattern {
  if (text === '*') return { kind: 'everyone' }
  if (/^\d{12}$/.test(text)) return { kind: 'account', accountId: text }
  if (/^A[A-Z][A-Z]A[A-Z0-9]{12,124}$/.test(text)) return { kind: 'uniqueId', uniqueId: text }
  const [arn, partition, vendor, region, accountId, name, ...none] =
    text.length <= 2048 ? (splitArn(text) ?? []) : []
  if (arn !== 'arn' || !partition || !/^aws[a-z-]*$/.test(partition) || region !== '' || none.length > 0)
    refuse(invalid, text)
  if (!accountId || !/^\d{12}$/.test(accountId) || !name) refuse(invalid, text)
  if (vendor === 'iam' && name === 'root') return { kind: 'account', accountId }
  const named = vendor === 'iam' ? isUserOrRole(name) : vendor === 'sts' && isSession(name)
  if (!named) refuse(invalid, text)
  return { kind: 'arn', arn: text, accountId }
}

/** `user/PATH/NAME` or `role/PATH/NAME`. */
function isUserOrRole(name: string): boolean {
  const [type, ...path] = name.split('/')
  return (
    (type === 'user' || type === 'role') &&
    path.length > 0 &&
    isName(path.at(-1)!) &&
    path.slice(0, -1).every((part) => /^[\x21-\x29\x2B-\x2E\x30-\x3E\x40-\x7E]+$/.test(part))
  )
}

/** `assumed-role/ROLE/SESSION` or `federated-user/NAME`. */
function isSession(name: string): boolean {
  const [type, ...names] = name.split('/')
  return (
    names.every(isName) && names.length === (type === 'assumed-role' ? 2 : type === 'federated-user' ? 1 : 0)
  )
}

function isName(name: string): boolean {
  return /^[\w+=,.@-]{1,128}$/.test(name)
}
