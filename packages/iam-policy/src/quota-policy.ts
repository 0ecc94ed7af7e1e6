/**
 * Eucalyptus' extension of the policy language: statements with the effect `Limit`, which allow and deny nothing but say how
 * much there may be. They stand in policies of accounts and of users, alone or among other statements:
 * `{"Effect": "Limit", "Action": "ec2:RunInstances", "Resource": "*",
 *   "Condition": {"NumericLessThanEquals": {"ec2:quota-vminstancenumber": "10"}}}`
 */
import { refuse } from './policy-syntax-error.ts'
import { readJson, type Json, type JsonNumber, type JsonObject } from './read-json.ts'

/** What can be limited, by the key of the condition in lower case; those of services that this cloud lacks are not here. */
export const quotaKeys: ReadonlySet<string> = new Set([
  ...[
    ...['vminstancenumber', 'vminstanceactivenumber', 'cputotalsize', 'memorytotalsize', 'disktotalsize'],
    ...['addressnumber', 'imagenumber', 'securitygroupnumber', 'snapshotnumber', 'volumenumber'],
    ...['volumetotalsize', 'vpcnumber', 'internetgatewaynumber'],
  ].map((name) => `ec2:quota-${name}`),
  ...['bucketnumber', 'bucketobjectnumber', 'bucketsize', 'buckettotalsize'].map(
    (name) => `s3:quota-${name}`,
  ),
  ...['usernumber', 'groupnumber', 'rolenumber', 'instanceprofilenumber', 'servercertificatenumber'].map(
    (name) => `iam:quota-${name}`,
  ),
])

export interface QuotaLimit {
  /** One of `quotaKeys`. */
  readonly key: string
  /** The largest number that is allowed: of things, GiB (volumes) or MB (buckets), as the key says. */
  readonly most: number
}

export interface SplitPolicy {
  /** The policy without its limits, for parsePolicy; null where it holds nothing else. */
  readonly policy: string | null
  /** The smallest where a key is limited twice. */
  readonly limits: readonly QuotaLimit[]
}

/** Parts limits from what is allowed and denied. Throws PolicySyntaxError for a limit that cannot be, and nothing else. */
export function splitQuotaPolicy(text: string): SplitPolicy {
  // Whatever is no policy with limits is left whole: parsePolicy says what is wrong with it.
  if (!/"Limit"/.test(text)) return { policy: text, limits: [] }
  const document = readJson(text)
  if (!isObject(document)) return { policy: text, limits: [] }
  const element = document.get('Statement')
  const statements: readonly Json[] = Array.isArray(element) ? element : [element as Json]
  const isLimit = (item: Json) => isObject(item) && item.get('Effect') === 'Limit'
  const limits = new Map<string, number>()
  for (const statement of statements.filter(isLimit))
    for (const { key, most } of limitsOf(statement as JsonObject))
      limits.set(key, Math.min(most, limits.get(key) ?? Infinity))
  const rest = statements.filter((item) => !isLimit(item))
  const policy = rest.length === 0 ? null : write(new Map<string, Json>([...document, ['Statement', rest]]))
  if (policy === null) checkAround(document)
  return { policy, limits: [...limits].map(([key, most]) => ({ key, most })) }
}

function checkAround(document: JsonObject): void {
  for (const name of document.keys())
    if (!['Version', 'Id', 'Statement'].includes(name)) refuse('Unknown field', name)
}

function limitsOf(statement: JsonObject): QuotaLimit[] {
  for (const name of statement.keys())
    if (!['Sid', 'Effect', 'Action', 'Resource', 'Condition'].includes(name)) refuse('Unknown field', name)
  if (!statement.has('Action')) refuse('Missing required field Action')
  const resource = statement.get('Resource')
  if ((Array.isArray(resource) && resource.length === 1 ? resource[0] : resource) !== '*')
    refuse('A statement with the effect Limit is about the resource * alone')
  const conditions = statement.get('Condition')
  if (!isObject(conditions)) refuse('Missing required field Condition')
  return [...conditions].flatMap(([operator, keys]) => {
    if (operator !== 'NumericLessThanEquals') refuse('A limit is a condition NumericLessThanEquals', operator)
    if (!isObject(keys) || keys.size === 0) refuse('A limit names a quota key')
    return [...keys].map(([key, value]) => ({ key: quotaKey(key), most: numberOf(value) }))
  })
}

function quotaKey(key: string): string {
  const lower = key.toLowerCase()
  if (!quotaKeys.has(lower)) refuse('Not a quota of this cloud', key)
  return lower
}

function numberOf(value: Json): number {
  const single = Array.isArray(value) && value.length === 1 ? (value[0] as Json) : value
  const text = isNumber(single) ? single.digits : typeof single === 'string' ? single : ''
  if (!/^\d{1,15}$/.test(text)) refuse('A quota must be a whole number', text)
  return Number(text)
}

const isObject = (value: Json | undefined): value is JsonObject => value instanceof Map

const isNumber = (value: Json): value is JsonNumber =>
  typeof value === 'object' && value !== null && 'digits' in value

/** JSON again, with numbers as they were written. */
function write(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((item) => write(item as Json)).join(',')}]`
  if (isObject(value))
    return `{${[...value].map(([key, inner]) => `${JSON.stringify(key)}:${write(inner)}`).join(',')}}`
  return isNumber(value) ? value.digits : JSON.stringify(value)
}
