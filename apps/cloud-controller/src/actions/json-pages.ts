import { createHash, timingSafeEqual } from 'node:crypto'
import type { AwsError } from '@mallee/aws-protocol'
import type { ActionContext } from './define-action.ts'

/**
 * Tokens of the services that speak JSON: base64, as their models want, and good for the same action, account and question only.
 */
export function jsonToken(ctx: ActionContext, last: string, asked: string): string {
  return Buffer.concat([sign(ctx, last, asked), Buffer.from(last)]).toString('base64')
}

/** The key after which the page begins; null for the first. */
export function jsonPage(
  ctx: ActionContext,
  token: string | undefined,
  asked: string,
  invalid: () => AwsError,
): string | null {
  if (token === undefined) return null
  const bytes = Buffer.from(token, 'base64')
  const last = bytes.subarray(signatureBytes).toString('utf8')
  const given = bytes.subarray(0, signatureBytes)
  const expected = sign(ctx, last, asked)
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw invalid()
  return last
}

const signatureBytes = 16

function sign(ctx: ActionContext, last: string, asked: string): Buffer {
  const question = createHash('sha256').update(asked).digest('hex')
  return ctx.keyring
    .sign(`page ${ctx.action} ${ctx.caller.accountId} ${question} ${last}`)
    .subarray(0, signatureBytes)
}
