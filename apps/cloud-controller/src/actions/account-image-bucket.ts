import type { ActionContext } from './define-action.ts'

/**
 * Where walrus lays the disks that it makes for an account: copies, and what comes of bundles. Named as AWS names the
 * bucket of copies; the end cannot be guessed, so that nobody else can take the name.
 */
export function accountImageBucket(ctx: ActionContext): string {
  const { accountId } = ctx.caller
  const end = ctx.keyring.sign(`bucket of image copies ${accountId}`).toString('hex').slice(0, 12)
  return `amis-for-${accountId}-in-${ctx.settings.region}-${end}`
}
