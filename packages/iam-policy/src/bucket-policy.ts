/**
 * What S3 asks of a policy before it becomes a bucket's. The reasons are those that S3 gives.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshoot-403-errors.html
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
 */
import { compileActions } from './compile-policy.ts'
import { refuse } from './policy-syntax-error.ts'
import type { Policy, PrincipalPattern, ResourceElement, Statement } from './policy.ts'

/** On what an action of S3 is. */
export type ActionOn = 'service' | 'bucket' | 'object'

export interface BucketPolicyOptions {
  /** Every action that there is, by its name as `s3:GetObject`, and what it is on. */
  readonly actions: ReadonlyMap<string, ActionOn>
  /** Every condition key that S3 has, in lower case; without it none is refused. */
  readonly conditionKeys?: ReadonlySet<string>
  /** Whether an account, user or role is there; without it nobody is looked for. */
  readonly principalExists?: (pattern: PrincipalPattern) => boolean
}

/** Throws PolicySyntaxError where S3 would answer MalformedPolicy. */
export function checkBucketPolicy(policy: Policy, bucketName: string, options: BucketPolicyOptions): void {
  for (const statement of policy.statements) {
    checkPrincipals(statement, options)
    checkResources(statement.resources, bucketName)
    checkActions(statement, bucketName, options.actions)
    checkKeys(statement, options)
  }
}

function checkPrincipals(statement: Statement, options: BucketPolicyOptions): void {
  if (!statement.principals) refuse('Missing required field Principal')
  for (const pattern of statement.principals.patterns) {
    const isThere = pattern.kind === 'everyone' || (options.principalExists?.(pattern) ?? true)
    if (pattern.kind === 'uniqueId' || !isThere) refuse('Invalid principal in policy')
  }
}

/** The bucket, something in it, or both at once by a star after its name. */
function checkResources(resources: ResourceElement | null, bucketName: string): void {
  if (!resources) refuse('Missing required field Resource')
  for (const { source } of resources.patterns) {
    const rest = afterBucket(source, bucketName)
    if (rest === null || (rest !== '' && !'/*'.includes(rest[0]!))) refuse('Policy has invalid resource')
  }
}

function afterBucket(source: string, bucketName: string): string | null {
  const start = `arn:aws:s3:::${bucketName}`
  return source.startsWith(start) ? source.slice(start.length) : null
}

function checkActions(
  statement: Statement,
  bucketName: string,
  actions: BucketPolicyOptions['actions'],
): void {
  const on = new Set<ActionOn>()
  for (const { source } of statement.resources?.patterns ?? []) {
    const rest = afterBucket(source, bucketName) ?? ''
    if (!rest.startsWith('/')) on.add('bucket')
    if (rest !== '') on.add('object')
  }
  for (const pattern of statement.actions.patterns) {
    const matches = compileActions({ negated: false, patterns: [pattern] })
    const meant = [...actions].filter(([name]) => matches(name.toLowerCase()))
    if (meant.length === 0) refuse('Policy has invalid action')
    const isNegated = statement.actions.negated || statement.resources?.negated
    if (!isNegated && !meant.some(([, where]) => on.has(where)))
      refuse('Action does not apply to any resource(s) in statement')
  }
}

function checkKeys(statement: Statement, { conditionKeys }: BucketPolicyOptions): void {
  if (!conditionKeys) return
  for (const { key } of statement.conditions) {
    const lower = key.toLowerCase()
    // A key for a tag is known by what stands before the tag's own key.
    const family = lower.includes('/') ? lower.slice(0, lower.indexOf('/') + 1) : lower
    if (lower.startsWith('s3:') && !conditionKeys.has(family))
      refuse('Policy has an invalid condition key', key)
  }
}
