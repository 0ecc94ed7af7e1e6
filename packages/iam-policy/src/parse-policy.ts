/**
 * Policies are read as strictly as AWS reads them: what is not understood is refused, since a policy that is half
 * understood protects nothing. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
 */
import { splitArnPattern } from './arn-pattern.ts'
import { parseConditions } from './parse-condition.ts'
import { parsePrincipal } from './parse-principal.ts'
import { parsePattern, type Pattern } from './pattern.ts'
import { refuse } from './policy-syntax-error.ts'
import type { Policy, PolicyKind, PrincipalElement, ResourceElement, Statement } from './policy.ts'
import { readJson, type Json, type JsonObject } from './read-json.ts'

export interface ParsePolicyOptions {
  readonly kind: PolicyKind
  /** IAM does not count white space; S3 does. */
  readonly maxBytes: number
}

/** IAM's own limit of the parameter, white space included. */
const mostCharacters = 131_072
const longestPattern = 2048
const policyFields = new Set(['Version', 'Id', 'Statement'])
const statementFields = new Set(
  'Sid Effect Principal NotPrincipal Action NotAction Resource NotResource Condition'.split(' '),
)

/** Throws PolicySyntaxError and nothing else. */
export function parsePolicy(text: string, options: ParsePolicyOptions): Policy {
  checkSize(text, options)
  if (text.trimStart()[0] !== '{') refuse("Policies must be valid JSON and the first byte must be '{'")
  const document = objectOf(readJson(text), 'The policy is no object')
  refuseUnknown(document, policyFields)
  const version = parseVersion(document.get('Version'))
  const id = textField(document, 'Id')
  const element = document.get('Statement')
  if (element === undefined) refuse('Missing required field Statement')
  const items: readonly Json[] = Array.isArray(element) ? element : [element as Json]
  if (items.length === 0) refuse('Could not parse the policy: Statement is empty!')
  const statements = items.map((item) =>
    parseStatement(objectOf(item, 'Invalid policy syntax: a statement is no object'), version, options.kind),
  )
  checkSids(statements, options.kind)
  return { kind: options.kind, version, id, statements }
}

function checkSize(text: string, { kind, maxBytes }: ParsePolicyOptions): void {
  const tooLarge = () => refuse(`The policy exceeds the limit of ${maxBytes} bytes`)
  if (text.length > mostCharacters) tooLarge()
  const counted = kind === 'resource' ? text : text.replaceAll(/\s/g, '')
  if (Buffer.byteLength(counted) > maxBytes) tooLarge()
}

function parseVersion(element: Json | undefined): Policy['version'] {
  if (element === undefined) return '2008-10-17'
  if (element !== '2008-10-17' && element !== '2012-10-17')
    refuse('The policy must contain a valid version string')
  return element
}

function parseStatement(item: JsonObject, version: Policy['version'], kind: PolicyKind): Statement {
  refuseUnknown(item, statementFields)
  const effect = item.get('Effect')
  if (effect === undefined) refuse('Missing required field Effect')
  if (effect !== 'Allow' && effect !== 'Deny')
    refuse('Invalid effect', typeof effect === 'string' ? effect : 'no string')
  return {
    sid: textField(item, 'Sid'),
    effect,
    principals: parsePrincipals(item, effect, kind),
    actions: parseActions(item),
    resources: parseResources(item, version, kind),
    conditions: parseConditions(item.get('Condition'), version),
  }
}

function parsePrincipals(item: JsonObject, effect: string, kind: PolicyKind): PrincipalElement | null {
  const found = either(item, 'Principal', 'NotPrincipal')
  if (kind === 'identity') {
    if (found) refuse('Policy document should not specify a principal.')
    return null
  }
  if (!found) refuse('Missing required field Principal')
  if (found.negated && effect === 'Allow') refuse('Allow with NotPrincipal is not allowed.')
  if (found.negated && kind === 'trust') refuse('Has prohibited field NotPrincipal')
  return parsePrincipal(found.element, found.negated)
}

function parseActions(item: JsonObject): Statement['actions'] {
  const found = either(item, 'Action', 'NotAction')
  if (!found) refuse('Missing required field Action')
  const patterns = texts(found.element, 'Action')
  for (const pattern of patterns) {
    if (pattern === '*' || pattern === '*:*') continue
    if (!pattern.includes(':'))
      refuse('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.', pattern)
    if (!/^[A-Za-z0-9-]{1,64}:[A-Za-z0-9*?]{1,128}$/.test(pattern))
      refuse('Policy has invalid action', pattern)
  }
  return { negated: found.negated, patterns }
}

function parseResources(
  item: JsonObject,
  version: Policy['version'],
  kind: PolicyKind,
): ResourceElement | null {
  const found = either(item, 'Resource', 'NotResource')
  if (kind === 'trust') {
    if (found) refuse('Has prohibited field Resource')
    return null
  }
  if (!found) refuse('Missing required field Resource')
  const rules = { wildcards: true, variables: version === '2012-10-17' }
  const patterns = texts(found.element, 'Resource').map((text) => parsePattern(text, rules))
  for (const pattern of patterns)
    if (!isResource(pattern)) refuse('Policy has invalid resource', pattern.source)
  return { negated: found.negated, patterns }
}

/** `*`, or an ARN whose vendor is written out; with fewer than six parts only if a star that ends one stands for more. */
function isResource(pattern: Pattern): boolean {
  if (pattern.source === '*') return true
  if (pattern.source.length > longestPattern) return false
  const parts = splitArnPattern(pattern)
  if (parts.slice(0, 5).some((part) => part.hasVariables)) return false
  if (parts.length < 3 || !/^arn:(?:aws[a-z-]*|\*):[a-z0-9-]+:/.test(pattern.source)) return false
  if (parts.length < 6) return parts.some((part) => part.tokens.at(-1)?.kind === 'any')
  return parts[5]!.tokens.length > 0
}

/** IAM wants letters and digits, each but once in a policy; S3 takes any text. */
function checkSids(statements: readonly Statement[], kind: PolicyKind): void {
  if (kind === 'resource') return
  const sids = statements.map((statement) => statement.sid).filter((sid) => sid !== null && sid !== '')
  const bad = sids.find((sid) => !/^[A-Za-z0-9]+$/.test(sid!))
  if (bad) refuse('Statement IDs (SID) must be alpha-numeric', bad)
  if (new Set(sids).size < sids.length) refuse('Statement IDs (SID) in a single policy must be unique.')
}

/** Of two elements that exclude each other, the one that is there. */
function either(
  item: JsonObject,
  name: string,
  opposite: string,
): { element: Json; negated: boolean } | null {
  const [plain, negated] = [item.get(name), item.get(opposite)]
  if (plain !== undefined && negated !== undefined)
    refuse(`Invalid policy syntax: both ${name} and ${opposite}`)
  if (plain !== undefined) return { element: plain, negated: false }
  return negated === undefined ? null : { element: negated, negated: true }
}

function texts(element: Json, name: string): string[] {
  const items: readonly Json[] = Array.isArray(element) ? element : [element]
  if (items.length === 0)
    refuse(`Policy statement must contain ${name === 'Action' ? 'actions' : 'resources'}.`)
  return items.map((item) => {
    if (typeof item !== 'string' || item === '') refuse(`Policy has invalid ${name.toLowerCase()}`)
    return item
  })
}

function textField(object: JsonObject, name: string): string | null {
  const value = object.get(name)
  if (value === undefined) return null
  if (typeof value !== 'string') refuse(`Invalid policy syntax: ${name} is no string`)
  return value
}

function objectOf(value: Json, otherwise: string): JsonObject {
  if (!(value instanceof Map)) refuse(otherwise)
  return value as JsonObject
}

function refuseUnknown(object: JsonObject, known: ReadonlySet<string>): void {
  for (const name of object.keys()) if (!known.has(name)) refuse('Unknown field', name)
}
