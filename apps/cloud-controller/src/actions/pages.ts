import { createHmac, timingSafeEqual } from 'node:crypto'
import { invalidNextToken, invalidParameterCombination, invalidParameterValue } from '@mallee/ec2-api'

const longestPage = 1000

/**
 * Pages over things in a stable order. The token names the last thing of the page before and is signed with the
 * caller's account and the action, so that it can be neither forged nor carried elsewhere.
 */
export function page<T>(
  things: readonly T[],
  input: { MaxResults?: number | undefined; NextToken?: string | undefined },
  options: { idOf: (thing: T) => string; secret: string; smallest?: number; exclusiveIds?: boolean },
): { items: T[]; nextToken: string | undefined } {
  const { idOf } = options
  if (input.MaxResults !== undefined && options.exclusiveIds) {
    throw invalidParameterCombination(
      'The parameter MaxResults cannot be used with a list of ids in the same request',
    )
  }
  const smallest = options.smallest ?? 5
  if (input.MaxResults !== undefined && (input.MaxResults < smallest || input.MaxResults > longestPage)) {
    throw invalidParameterValue(
      `Value ( ${input.MaxResults} ) for parameter maxResults is invalid. Expecting a value between ${smallest} and ${longestPage}.`,
    )
  }
  const start = input.NextToken ? indexAfter(things, idOf, readToken(input.NextToken, options.secret)) : 0
  const size = input.MaxResults ?? (input.NextToken ? longestPage : things.length)
  const items = things.slice(start, start + size)
  const more = start + items.length < things.length && items.length > 0
  return { items, nextToken: more ? makeToken(idOf(items.at(-1)!), options.secret) : undefined }
}

function indexAfter<T>(things: readonly T[], idOf: (thing: T) => string, last: string): number {
  const index = things.findIndex((thing) => idOf(thing) === last)
  if (index < 0) throw invalidNextToken()
  return index + 1
}

function sign(text: string, secret: string): Buffer {
  return createHmac('sha256', secret).update(text).digest().subarray(0, 16)
}

function makeToken(last: string, secret: string): string {
  return `${Buffer.from(last).toString('base64url')}.${sign(last, secret).toString('base64url')}`
}

function readToken(token: string, secret: string): string {
  const [text, signature, ...rest] = token.split('.')
  const last = Buffer.from(text ?? '', 'base64url').toString('utf8')
  const given = Buffer.from(signature ?? '', 'base64url')
  const expected = sign(last, secret)
  if (rest.length > 0 || given.length !== expected.length || !timingSafeEqual(given, expected))
    throw invalidNextToken()
  return last
}
