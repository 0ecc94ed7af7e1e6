import { invalidUserIdMalformed } from '@mallee/ec2-api'
import type { ActionContext } from '../define-action.ts'

/** AWS's names for what is its own and its market's; nobody has such a name here. */
const ownerAliases: ReadonlySet<string> = new Set([
  'amazon',
  'aws-marketplace',
  'aws-backup-vault',
  'microsoft',
])

/** The accounts that a request names, by number or as `self`. Throws InvalidUserID.Malformed. */
export function namedAccounts(ctx: ActionContext, names: readonly string[]): ReadonlySet<string> {
  const accounts = new Set<string>()
  for (const name of names) {
    if (name === 'self') accounts.add(ctx.caller.accountId)
    else if (/^\d{12}$/.test(name)) accounts.add(name)
    else if (!ownerAliases.has(name)) throw invalidUserIdMalformed(name)
  }
  return accounts
}

/** Whether an image or a snapshot is of one of these owners; where none is named, it is. */
export function ownedBy(
  ctx: ActionContext,
  owners: readonly string[],
): (thing: { readonly account_id: string }) => boolean {
  if (owners.length === 0) return () => true
  const accounts = namedAccounts(ctx, owners)
  return (thing) => accounts.has(thing.account_id)
}
