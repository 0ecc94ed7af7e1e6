/** Who has which credentials, as CSV. https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html */
import { hourMs, dayMs } from '@mallee/base'
import { reportNotPresent, type IamOutput } from '@mallee/iam-api'
import { iamArn, rootArn } from '../../identity/arns.ts'
import type { AccessKeyTable, LoginProfileTable, UserTable } from '../../store/identity-tables.ts'
import { passwordPolicyOf } from '../../store/identity/login-store.ts'
import type { Reader } from '../../store/record.ts'
import type { ActionContext } from '../define-action.ts'
import type { IamActions } from './iam-action.ts'

/** As long as AWS keeps one: within it no new one is made. */
const keptMs = 4 * hourMs

const columns = `user arn user_creation_time password_enabled password_last_used password_last_changed
  password_next_rotation mfa_active
  access_key_1_active access_key_1_last_rotated access_key_1_last_used_date access_key_1_last_used_region
  access_key_1_last_used_service
  access_key_2_active access_key_2_last_rotated access_key_2_last_used_date access_key_2_last_used_region
  access_key_2_last_used_service
  cert_1_active cert_1_last_rotated cert_2_active cert_2_last_rotated`.split(/\s+/)

const none = 'N/A'
const at = (ms: number | null | undefined, otherwise = none): string =>
  ms === null || ms === undefined ? otherwise : new Date(ms).toISOString().replace(/\.\d{3}Z$/, '+00:00')

interface Owned {
  readonly keys: readonly AccessKeyTable[]
  readonly certificates: readonly { readonly enabled: number; readonly created_at: number }[]
  readonly login: LoginProfileTable | undefined
  readonly hasMfa: boolean
  readonly maxPasswordDays: number
}

function lineOf(user: UserTable, owned: Owned): string[] {
  const { login, maxPasswordDays: days } = owned
  const isRoot = user.is_root === 1
  const used = login ? at(user.password_used_at, 'no_information') : none
  const rotation = login && days > 0 ? at(login.changed_at + days * dayMs) : none
  return [
    user.name,
    isRoot ? rootArn(user.account_id) : iamArn('user', user),
    at(user.created_at),
    isRoot ? 'not_supported' : String(login !== undefined),
    used,
    isRoot ? 'not_supported' : at(login?.changed_at),
    isRoot ? 'not_supported' : rotation,
    String(owned.hasMfa),
    ...keyCells(owned.keys[0]),
    ...keyCells(owned.keys[1]),
    ...certificateCells(owned.certificates[0]),
    ...certificateCells(owned.certificates[1]),
  ]
}

const keyCells = (key: AccessKeyTable | undefined): string[] =>
  key
    ? [
        String(key.enabled === 1),
        at(key.created_at),
        at(key.used_at),
        key.used_region ?? none,
        key.used_service ?? none,
      ]
    : ['false', none, none, none, none]

const certificateCells = (row: Owned['certificates'][number] | undefined): string[] =>
  row ? [String(row.enabled === 1), at(row.created_at)] : ['false', none]

/** Names have no comma and no quote in them but by their rules: `+=,.@-` may be. */
const cell = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

async function reportOf(db: Reader, accountId: string): Promise<string> {
  const of = <T extends 'user' | 'access_key' | 'signing_certificate' | 'iam_mfa_device'>(table: T) =>
    db
      .selectFrom(table as 'access_key')
      .selectAll()
      .where('account_id', '=', accountId)
      .orderBy('created_at')
      .orderBy('id')
      .execute()
  const users = (await of('user')) as unknown as UserTable[]
  const [keys, certificates, devices] = [
    await of('access_key'),
    await of('signing_certificate'),
    await of('iam_mfa_device'),
  ]
  const logins = await db
    .selectFrom('iam_login_profile')
    .innerJoin('user', 'user.id', 'iam_login_profile.user_id')
    .selectAll('iam_login_profile')
    .where('user.account_id', '=', accountId)
    .execute()
  const maxPasswordDays = (await passwordPolicyOf(db, accountId))?.MaxPasswordAge ?? 0
  const lines = users
    .toSorted((a, b) => b.is_root - a.is_root || (a.name < b.name ? -1 : 1))
    .map((user) =>
      lineOf(user, {
        keys: keys.filter((row) => row.user_id === user.id),
        certificates: certificates.filter((row) => row.user_id === user.id),
        login: logins.find((row) => row.user_id === user.id),
        hasMfa: devices.some((row) => row.user_id === user.id),
        maxPasswordDays,
      }),
    )
  return [columns, ...lines].map((line) => line.map(cell).join(',')).join('\n')
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_GenerateCredentialReport.html: it is whole at once. */
function generate(ctx: ActionContext): Promise<IamOutput<'GenerateCredentialReport'>> {
  return ctx.transaction(async (tx) => {
    const { accountId } = ctx.caller
    const present = await presentReport(tx.db, accountId, ctx.nowMs)
    if (present) return { State: 'COMPLETE' }
    const content = await reportOf(tx.db, accountId)
    await tx.db
      .insertInto('iam_credential_report')
      .values({ account_id: accountId, content, made_at: ctx.nowMs })
      .onConflict((conflict) => conflict.column('account_id').doUpdateSet({ content, made_at: ctx.nowMs }))
      .execute()
    return { State: 'COMPLETE', Description: 'The report was generated.' }
  })
}

async function presentReport(db: Reader, accountId: string, nowMs: number) {
  const row = await db
    .selectFrom('iam_credential_report')
    .selectAll()
    .where('account_id', '=', accountId)
    .executeTakeFirst()
  return row && nowMs - row.made_at < keptMs ? row : undefined
}

function get(ctx: ActionContext): Promise<IamOutput<'GetCredentialReport'>> {
  return ctx.read(async (db) => {
    const row = await presentReport(db, ctx.caller.accountId, ctx.nowMs)
    if (!row) throw reportNotPresent('The report is not present: generate one by GenerateCredentialReport.')
    return {
      Content: Buffer.from(row.content),
      ReportFormat: 'text/csv',
      GeneratedTime: new Date(row.made_at),
    }
  })
}

export const credentialReportActions = {
  GenerateCredentialReport: generate,
  GetCredentialReport: get,
} satisfies IamActions
