import { createHash } from 'node:crypto'
import { MalleeError, newToken, type Random } from '@mallee/base'
import { noSuchEntity } from '@mallee/iam-api'
import type { Keyring } from '../identity/keyring.ts'
import type { Wakes } from '../wakes.ts'
import { insertDefaultNetwork } from './default-network.ts'
import { defaultQuotas } from './quota-store.ts'
import type { Reader, Tx } from './record.ts'
import type { AccessKeyTable, AccountTable, UserTable } from './tables.ts'

export interface NewAccount {
  readonly accountId: string
  readonly canonicalId: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** The name of an account's root where its users are listed; none can be called so. AWS's credential report has it. */
export const rootUserName = '<root_account>'

/** An account with its root and first key, its default VPC, subnets and group, and its quotas: all or nothing. */
export async function createAccount(
  tx: Tx,
  wakes: Wakes,
  options: {
    name: string
    email: string | null
    zones: readonly string[]
    keyring: Keyring
    random: Random
    nowMs: number
  },
): Promise<NewAccount> {
  const { nowMs, random } = options
  const taken = await tx.db
    .selectFrom('account')
    .select('id')
    .where('name', '=', options.name)
    .executeTakeFirst()
  if (taken)
    throw new MalleeError({
      code: 'EntityAlreadyExists',
      publicMessage: `There is an account named ${options.name}.`,
    })
  const accountId = newAccountId(random)
  const canonicalId = createHash('sha256')
    .update(`mallee account ${accountId}`)
    .update(random.bytes(16))
    .digest('hex')
  await tx.db
    .insertInto('account')
    .values({
      id: accountId,
      name: options.name,
      email: options.email,
      canonical_id: canonicalId,
      legacy_signatures: 0,
      created_at: nowMs,
    })
    .execute()
  const userId = newToken('AIDA', 17, random)
  await tx.db
    .insertInto('user')
    .values({ id: userId, account_id: accountId, name: rootUserName, is_root: 1, created_at: nowMs })
    .execute()
  const key = await insertAccessKey(tx, wakes, { ...options, accountId, userId })
  await tx.db
    .insertInto('quota')
    .values(Object.entries(defaultQuotas).map(([name, value]) => ({ account_id: accountId, name, value })))
    .execute()
  await insertDefaultNetwork(tx, { ...options, accountId })
  return { accountId, canonicalId, ...key }
}

function newAccountId(random: Random): string {
  return Array.from(random.bytes(12), (byte, index) => (index === 0 ? 1 + (byte % 9) : byte % 10)).join('')
}

export async function insertAccessKey(
  tx: Tx,
  wakes: Wakes,
  options: { accountId: string; userId: string; keyring: Keyring; random: Random; nowMs: number },
): Promise<{ accessKeyId: string; secretAccessKey: string }> {
  const accessKeyId = newToken('AKIA', 16, options.random)
  const secretAccessKey = Buffer.from(options.random.bytes(30))
    .toString('base64')
    .replaceAll('+', '0')
    .replaceAll('/', '1')
  await tx.db
    .insertInto('access_key')
    .values({
      id: accessKeyId,
      account_id: options.accountId,
      user_id: options.userId,
      sealed_secret: options.keyring.seal(secretAccessKey, accessKeyId),
      enabled: 1,
      created_at: options.nowMs,
    })
    .execute()
  tx.afterCommit(() => wakes.keys())
  return { accessKeyId, secretAccessKey }
}

export interface KeyOwner {
  readonly key: AccessKeyTable
  readonly user: UserTable
  readonly account: AccountTable
}

export async function findKeyOwner(db: Reader, accessKeyId: string): Promise<KeyOwner | null> {
  const key = await db.selectFrom('access_key').selectAll().where('id', '=', accessKeyId).executeTakeFirst()
  if (!key) return null
  const user = await db.selectFrom('user').selectAll().where('id', '=', key.user_id).executeTakeFirstOrThrow()
  const account = await db
    .selectFrom('account')
    .selectAll()
    .where('id', '=', key.account_id)
    .executeTakeFirstOrThrow()
  return { key, user, account }
}

export async function listKeyOwners(db: Reader): Promise<KeyOwner[]> {
  const [keys, users, accounts] = [
    await db.selectFrom('access_key').selectAll().execute(),
    new Map((await db.selectFrom('user').selectAll().execute()).map((row) => [row.id, row])),
    new Map((await db.selectFrom('account').selectAll().execute()).map((row) => [row.id, row])),
  ]
  return keys.map((key) => ({ key, user: users.get(key.user_id)!, account: accounts.get(key.account_id)! }))
}

/** By its name, its alias or its id. */
export async function accountNamed(db: Reader, name: string): Promise<AccountTable> {
  const account = await db
    .selectFrom('account')
    .selectAll()
    .where((eb) =>
      eb.or([
        eb('id', '=', name),
        eb('name', '=', name),
        eb('id', 'in', eb.selectFrom('iam_account_alias').select('account_id').where('alias', '=', name)),
      ]),
    )
    .orderBy('created_at')
    .executeTakeFirst()
  if (!account) throw noSuchEntity(`The account ${name} cannot be found.`)
  return account
}

export async function isAlias(db: Reader, alias: string): Promise<boolean> {
  const row = await db
    .selectFrom('iam_account_alias')
    .select('alias')
    .where('alias', '=', alias)
    .executeTakeFirst()
  return row !== undefined
}
