import { accessDenied } from '@mallee/iam-api'
import type { QueryRequest } from '@mallee/aws-protocol'
import type { Caller } from '../identity/caller.ts'
import { accountNamed } from '../store/account-store.ts'
import type { Reader } from '../store/record.ts'
import { rootOf } from '../store/user-store.ts'

/** Of these actions the parameter AccountName is an argument. */
const aboutAccounts = new Set([
  'CreateAccount',
  'DeleteAccount',
  'PutAccountPolicy',
  'GetAccountPolicy',
  'DeleteAccountPolicy',
  'ListAccountPolicies',
])

/** The account in which the cloud's administrators ask to act, as Eucalyptus' clients say it; null for their own. */
export function delegatedAccount(query: QueryRequest): string | null {
  const { children } = query.parameters
  const named = children?.get('DelegateAccount')?.value
  if (named !== undefined && named !== '') return named
  if (aboutAccounts.has(query.action ?? '')) return null
  return children?.get('AccountName')?.value ?? null
}

/** The caller as that account's root, which is also who is meant where a request names no user. */
export async function delegate(db: Reader, caller: Caller, account: string): Promise<Caller> {
  if (!caller.isCloudAdmin)
    throw accessDenied('Only administrators of the cloud are authorized to act in another account.')
  const { id: accountId, name: accountName } = await accountNamed(db, account)
  const root = await rootOf(db, accountId)
  return { ...caller, accountId, accountName, userId: root.id, userName: root.name }
}
