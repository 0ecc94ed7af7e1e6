import { timingSafeEqual } from 'node:crypto'
import { invalidNextToken, invalidParameterCombination, invalidParameterValue } from '@mallee/ec2-api'
import type { ActionContext } from './define-action.ts'

const longestPage = 1000

export interface PageInput {
  readonly MaxResults?: number | undefined
  readonly NextToken?: string | undefined
}

export interface Page {
  /** The key after which the page begins; null for the first. */
  readonly after: string | null
  /** How many things are in it at most; null for all. */
  readonly size: number | null
}

/**
 * What page a describe is to show. The token holds the key of the last thing of the page before and is signed with a
 * key of the cloud's keyring for this action and this account, so that it can be neither forged nor carried elsewhere;
 * as keys only are compared, what came or went in between shifts nothing.
 */
export function pageOf(
  ctx: ActionContext,
  input: PageInput,
  options: { smallest?: number; largest?: number; exclusiveIds?: boolean } = {},
): Page {
  const { MaxResults: wanted, NextToken: token } = input
  if (wanted !== undefined && options.exclusiveIds) {
    throw invalidParameterCombination(
      'The parameter MaxResults cannot be used with a list of ids in the same request',
    )
  }
  const { smallest = 5, largest = longestPage } = options
  if (wanted !== undefined && (wanted < smallest || wanted > largest)) {
    throw invalidParameterValue(
      `Value ( ${wanted} ) for parameter maxResults is invalid. Expecting a value between ${smallest} and ${largest}.`,
    )
  }
  const after = token ? readToken(ctx, token) : null
  return { after, size: wanted ?? (after === null ? null : largest) }
}

/** One page of things, in the order of their keys. A key is unique, and the same whenever the thing is described. */
export function page<T>(
  ctx: ActionContext,
  things: readonly T[],
  input: PageInput,
  options: { keyOf: (thing: T) => string; smallest?: number; largest?: number; exclusiveIds?: boolean },
): { items: T[]; nextToken: string | undefined } {
  const { after, size } = pageOf(ctx, input, options)
  const keyed = things.map((thing) => ({ thing, key: options.keyOf(thing) }))
  const rest = after === null ? keyed : keyed.filter(({ key }) => key > after)
  rest.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  const items = size === null ? rest : rest.slice(0, size)
  return {
    items: items.map(({ thing }) => thing),
    nextToken: items.length < rest.length ? nextToken(ctx, items.at(-1)!.key) : undefined,
  }
}

export function nextToken(ctx: ActionContext, last: string): string {
  return `${Buffer.from(last).toString('base64url')}.${sign(ctx, last).toString('base64url')}`
}

function sign(ctx: ActionContext, text: string): Buffer {
  return ctx.keyring.sign(`page ${ctx.action} ${ctx.caller.accountId} ${text}`).subarray(0, 16)
}

function readToken(ctx: ActionContext, token: string): string {
  const [text, signature, ...rest] = token.split('.')
  const last = Buffer.from(text ?? '', 'base64url').toString('utf8')
  const given = Buffer.from(signature ?? '', 'base64url')
  const expected = sign(ctx, last)
  if (rest.length > 0 || given.length !== expected.length || !timingSafeEqual(given, expected))
    throw invalidNextToken()
  return last
}

/** A key that sorts by time first: for things that are listed in the order of their making. */
export function timeKey(atMs: number, id: string): string {
  return `${String(atMs).padStart(15, '0')} ${id}`
}
