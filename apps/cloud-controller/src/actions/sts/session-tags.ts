import { validationError } from '@mallee/iam-api'
import type { ContextValue } from '@mallee/iam-policy'
import type { StsContext } from './sts-context.ts'

export interface SessionTags {
  readonly tags: Readonly<Record<string, string>>
  /** Keys that the next role's session gets too. */
  readonly transitive: readonly string[]
}

/** AWS's limit of a session's tags. */
const most = 50

/**
 * What a session is tagged with: what is asked for, over what the caller's own session hands on.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
 */
export function sessionTags(
  ctx: Pick<StsContext, 'caller'>,
  asked: readonly { readonly Key: string; readonly Value: string }[] | undefined,
  transitive: readonly string[] | undefined,
): SessionTags {
  const list = asked ?? []
  if (list.length > most) throw validationError(`A session has at most ${most} tags.`)
  const lower = list.map(({ Key }) => Key.toLowerCase())
  if (new Set(lower).size < lower.length)
    throw validationError('Duplicate tag keys found. Please note that Tag keys are case insensitive.')
  if (lower.some((key) => key.startsWith('aws:')))
    throw validationError('Tag keys that begin with aws: are reserved.')
  const { session, principal } = ctx.caller
  const own = 'tags' in principal ? (principal.tags ?? {}) : {}
  const handed = (session?.transitiveTagKeys ?? []).filter((key) => Object.hasOwn(own, key))
  const clash = handed.find((key) => lower.includes(key.toLowerCase()))
  if (clash !== undefined)
    throw validationError(
      `The tag ${clash.slice(0, 128)} is handed on by the session and cannot be set again.`,
    )
  const unknown = (transitive ?? []).find((key) => !list.some(({ Key }) => Key === key))
  if (unknown !== undefined)
    throw validationError(`The transitive tag key ${unknown.slice(0, 128)} is not among the tags.`)
  return {
    tags: {
      ...Object.fromEntries(handed.map((key) => [key, own[key]!])),
      ...Object.fromEntries(list.map(({ Key, Value }) => [Key, Value])),
    },
    transitive: [...handed, ...(transitive ?? [])],
  }
}

/** Condition keys of tags that are asked for. */
export function tagConditions(
  asked: readonly { readonly Key: string; readonly Value: string }[] | undefined,
  transitive: readonly string[] | undefined,
): Record<string, ContextValue> {
  if (!asked || asked.length === 0) return {}
  return {
    'aws:TagKeys': asked.map(({ Key }) => Key),
    ...Object.fromEntries(asked.map(({ Key, Value }) => [`aws:RequestTag/${Key}`, Value])),
    'sts:TransitiveTagKeys': transitive ?? [],
  }
}
