/**
 * What an IAM action is on, for whoever authorises it: the ARN and the condition keys of
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
 */
import type { ContextValue } from '@mallee/iam-policy'
import { iamArn, rootArn, type ArnType } from '../../identity/arns.ts'
import { tagsOf } from '../../store/identity/identity-tag-store.ts'
import { boundaryOf } from '../../store/identity/managed-policy-store.ts'
import type { Reader } from '../../store/record.ts'
import { eucalyptusRootName, type NamedTable } from '../../store/user-store.ts'

export interface IamResource {
  /** `iam:CreateUser` */
  readonly action: string
  /** The ARN; `*` where the action is on nothing. */
  readonly resource: string
  readonly context: Readonly<Record<string, ContextValue>>
}

interface Asked {
  /** Without `iam:`. */
  readonly action: string
  readonly input: Readonly<Record<string, unknown>>
  readonly accountId: string
  /** Of whoever asks: what is meant where a request names no user. */
  readonly userArn: string
}

/** In this order the first that a request has says what it is on: a user is added to a group, and not the reverse. */
const named: readonly (readonly [member: string, ArnType, NamedTable])[] = [
  ['InstanceProfileName', 'instance-profile', 'iam_instance_profile'],
  ['GroupName', 'group', 'iam_group'],
  ['RoleName', 'role', 'iam_role'],
  ['UserName', 'user', 'user'],
  ['ServerCertificateName', 'server-certificate', 'iam_server_certificate'],
  ['PolicyName', 'policy', 'iam_policy'],
  ['VirtualMFADeviceName', 'mfa', 'iam_mfa_device'],
]

const arnMembers = ['PolicyArn', 'OpenIDConnectProviderArn', 'SerialNumber', 'PolicySourceArn']

/** Without the name of a user, on whoever asks. */
const onSelf = new Set(
  `GetUser CreateAccessKey ListAccessKeys UpdateAccessKey DeleteAccessKey CreateLoginProfile GetLoginProfile
   DeleteLoginProfile ChangePassword UploadSigningCertificate ListSigningCertificates UpdateSigningCertificate
   DeleteSigningCertificate CreateSigningCertificate DeactivateMFADevice ListMFADevices GetUserInfo UpdateUserInfo
   ListSSHPublicKeys ListServiceSpecificCredentials`.split(/\s+/),
)

/** Lists are on the path that they are of. */
const lists: Readonly<Record<string, ArnType>> = {
  ListUsers: 'user',
  ListGroups: 'group',
  ListRoles: 'role',
  ListInstanceProfiles: 'instance-profile',
  ListServerCertificates: 'server-certificate',
  ListVirtualMFADevices: 'mfa',
}

/** All that must be allowed for the action: mostly it alone; a role that is passed on must be allowed to be so too. */
export async function iamResourcesOf(db: Reader, asked: Asked): Promise<IamResource[]> {
  const { action, input } = asked
  const found = await resourceOf(db, asked)
  const own: IamResource = {
    action: `iam:${action}`,
    resource: found.arn,
    context: { ...ofInput(action, input), ...(await ofThing(db, action, input, found.id)) },
  }
  const moved = movedArn(action, input, found.arn)
  if (moved !== null) return [own, { ...own, resource: moved }]
  if (action !== 'AddRoleToInstanceProfile') return [own]
  const role = await resourceOf(db, { ...asked, action: 'GetRole', input: { RoleName: input['RoleName'] } })
  const context = {
    'iam:PassedToService': 'ec2.amazonaws.com',
    ...(await ofThing(db, 'GetRole', {}, role.id)),
  }
  return [own, { action: 'iam:PassRole', resource: role.arn, context }]
}

/**
 * Who renames something, or moves it to another path, must be allowed to change what it becomes as well: else policies on
 * paths and names hold nobody back.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_users_rename.html
 */
function movedArn(action: string, input: Readonly<Record<string, unknown>>, arn: string): string | null {
  const kind = /^Update(User|Group|ServerCertificate)$/.exec(action)?.[1]
  const [name, path] = [kind && input[`New${kind}Name`], input['NewPath']]
  const [, start, type, oldPath, oldName] =
    /^(arn:aws:iam::\d{12}:)([a-z-]+)(\/(?:.*\/)?)([^/]+)$/.exec(arn) ?? []
  if (!kind || type === undefined || (name === undefined && path === undefined)) return null
  const moved = `${start}${type}${typeof path === 'string' ? path : oldPath}${typeof name === 'string' ? name : oldName}`
  return moved === arn ? null : moved
}

interface Found {
  readonly arn: string
  /** Of the row, where there is one. */
  readonly id: string | null
}

async function resourceOf(db: Reader, asked: Asked): Promise<Found> {
  const { action, input, accountId } = asked
  const text = (member: string) => (typeof input[member] === 'string' ? input[member] : undefined)
  if (onSelf.has(action) && text('UserName') === undefined) return rowOfArn(db, asked.userArn, accountId)
  const list = lists[action]
  if (list) return { arn: `arn:aws:iam::${accountId}:${list}${text('PathPrefix') ?? '/'}`, id: null }
  if (action === 'CreateOpenIDConnectProvider')
    return {
      arn: `arn:aws:iam::${accountId}:oidc-provider/${(text('Url') ?? '').replace(/^https:\/\//i, '')}`,
      id: null,
    }
  if (action === 'GetAccessKeyLastUsed') return userOfKey(db, accountId, text('AccessKeyId') ?? '')
  for (const [member, type, table] of named) {
    const name = text(member)
    // A managed policy has a name in CreatePolicy alone; elsewhere it is that of an inline policy.
    if (name === undefined || (member === 'PolicyName' && action !== 'CreatePolicy')) continue
    const row = await rowNamed(db, table, accountId, name)
    // As Eucalyptus calls the account's root, which is no user of any path.
    if (!row && type === 'user' && name === eucalyptusRootName && onSelf.has(action))
      return { arn: rootArn(accountId), id: null }
    const path = row?.path ?? text('Path') ?? '/'
    return { arn: iamArn(type, { account_id: accountId, path, name }), id: row?.id ?? null }
  }
  const arn = arnMembers.map(text).find((value) => value !== undefined)
  return arn === undefined ? { arn: '*', id: null } : rowOfArn(db, arn, accountId)
}

function rowNamed(db: Reader, table: NamedTable, accountId: string, name: string) {
  return db
    .selectFrom(table as 'iam_group')
    .select(['id', 'path'])
    .where('account_id', '=', accountId)
    .where('name', '=', name)
    .executeTakeFirst()
}

async function rowOfArn(db: Reader, arn: string, accountId: string): Promise<Found> {
  const [, type, name] = /^arn:aws:iam::\d{12}:([a-z-]+)\/(?:.*\/)?([^/]+)$/.exec(arn) ?? []
  const table = named.find((entry) => entry[1] === type)?.[2]
  if (!table || name === undefined) return { arn, id: null }
  return { arn, id: (await rowNamed(db, table, accountId, name))?.id ?? null }
}

async function userOfKey(db: Reader, accountId: string, keyId: string): Promise<Found> {
  const user = await db
    .selectFrom('access_key')
    .innerJoin('user', 'user.id', 'access_key.user_id')
    .selectAll('user')
    .where('access_key.id', '=', keyId)
    .where('user.account_id', '=', accountId)
    .where('is_root', '=', 0)
    .executeTakeFirst()
  return user ? { arn: iamArn('user', user), id: user.id } : { arn: '*', id: null }
}

/** What the request itself says. */
function ofInput(
  action: string,
  input: Readonly<Record<string, unknown>>,
): Readonly<Record<string, ContextValue>> {
  const context: Record<string, ContextValue> = {}
  const tags = (input['Tags'] ?? []) as readonly { Key: string; Value: string }[]
  for (const { Key, Value } of tags) context[`aws:RequestTag/${Key}`] = Value
  const keys = (input['TagKeys'] as readonly string[] | undefined) ?? tags.map(({ Key }) => Key)
  if (keys.length > 0) context['aws:TagKeys'] = keys
  if (/^(?:Attach|Detach)/.test(action)) context['iam:PolicyARN'] = input['PolicyArn'] as string
  const boundary = input['PermissionsBoundary'] as string | undefined
  if (boundary !== undefined) context['iam:PermissionsBoundary'] = boundary
  return context
}

/** What is known of the thing: its tags, and where its policies are changed the boundary that it has. */
async function ofThing(
  db: Reader,
  action: string,
  input: Readonly<Record<string, unknown>>,
  id: string | null,
): Promise<Readonly<Record<string, ContextValue>>> {
  if (id === null) return {}
  const context: Record<string, ContextValue> = {}
  for (const { Key, Value } of await tagsOf(db, id)) {
    context[`aws:ResourceTag/${Key}`] = Value
    context[`iam:ResourceTag/${Key}`] = Value
  }
  const isBound = /^(?:Attach|Detach|Put|Delete)(?:User|Role)(?:Policy|PermissionsBoundary)$/.test(action)
  if (isBound && input['PermissionsBoundary'] === undefined) {
    const boundary = await boundaryOf(db, id)
    if (boundary !== null) context['iam:PermissionsBoundary'] = boundary
  }
  return context
}
