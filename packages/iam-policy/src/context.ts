/**
 * The values of condition keys in one request. Keys that tell who asks come from the principal, so that nothing a client
 * sends can stand for them. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html and,
 * for which principal has which, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
 */
import type { ContextScalar, ContextValue, PolicyRequest, Principal } from './request.ts'

const tagPrefix = 'aws:principaltag/'
const principalTypes = {
  root: 'Account',
  user: 'User',
  'role-session': 'AssumedRole',
  federated: 'FederatedUser',
  anonymous: 'Anonymous',
} as const

/** Made for one request, and filled when first asked. */
export class RequestContext {
  private readonly request: PolicyRequest
  private byKey: Map<string, ContextValue> | undefined

  constructor(request: PolicyRequest) {
    this.request = request
  }

  /** All values of a key in lower case; null where it is not there. */
  valuesOf(key: string): readonly ContextScalar[] | null {
    const value = this.get(key)
    if (value === undefined || value === null) return null
    if (!isList(value)) return [value]
    return value.length === 0 ? null : value
  }

  /** What a variable stands for: keys of many values cannot be variables. */
  readonly variable = (key: string): string | null => {
    const value = this.get(key)
    return value === undefined || value === null || isList(value) ? null : scalarText(value)
  }

  private get(key: string): ContextValue {
    if (isAboutPrincipal(key)) return principalValue(this.request.principal, key)
    this.byKey ??= new Map(
      Object.entries(this.request.context).map(([name, value]) => [name.toLowerCase(), value]),
    )
    return this.byKey.get(key)
  }
}

function isList(value: ContextScalar | readonly ContextScalar[]): value is readonly ContextScalar[] {
  return Array.isArray(value)
}

export function scalarText(value: ContextScalar): string {
  return value instanceof Date ? dateText(value) : String(value)
}

function dateText(value: Date): string {
  return Number.isNaN(value.getTime()) ? '' : value.toISOString()
}

const keysAboutPrincipal = new Set([
  'aws:userid',
  'aws:username',
  'aws:principaltype',
  'aws:principalarn',
  'aws:principalaccount',
  'aws:principalisawsservice',
  'aws:principalservicename',
])

function isAboutPrincipal(key: string): boolean {
  return keysAboutPrincipal.has(key) || key.startsWith(tagPrefix)
}

function principalValue(principal: Principal, key: string): ContextScalar | null {
  switch (key) {
    case 'aws:userid':
      if (principal.kind === 'anonymous') return 'anonymous'
      return 'userId' in principal ? principal.userId : null
    case 'aws:username':
      return principal.kind === 'user' ? principal.userName : null
    case 'aws:principaltype':
      return principal.kind in principalTypes
        ? principalTypes[principal.kind as keyof typeof principalTypes]
        : null
    case 'aws:principalarn':
      if (principal.kind === 'role-session') return principal.roleArn
      return 'arn' in principal ? principal.arn : null
    case 'aws:principalaccount':
      return 'accountId' in principal ? principal.accountId : null
    case 'aws:principalisawsservice':
      return principal.kind === 'anonymous' || principal.kind === 'identity-provider'
        ? null
        : principal.kind === 'service'
    case 'aws:principalservicename':
      return principal.kind === 'service' ? principal.service : null
    default:
      return tagOf(principal, key.slice(tagPrefix.length))
  }
}

function tagOf(principal: Principal, lowerKey: string): string | null {
  if (!('tags' in principal) || !principal.tags) return null
  const found = Object.entries(principal.tags).find(([key]) => key.toLowerCase() === lowerKey)
  return found ? found[1] : null
}
