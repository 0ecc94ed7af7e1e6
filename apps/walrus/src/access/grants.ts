/**
 * Access control lists: canned, in headers, as a document, and as they are kept.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
 */
import { s3Error, type S3 } from '@mallee/s3-api'
import type { Grant } from '../index/bucket-settings.ts'

export interface Owner {
  readonly accountId: string
  readonly canonicalId: string
  readonly name: string
}

export const allUsers = 'http://acs.amazonaws.com/groups/global/AllUsers'
export const authenticatedUsers = 'http://acs.amazonaws.com/groups/global/AuthenticatedUsers'
export const logDelivery = 'http://acs.amazonaws.com/groups/s3/LogDelivery'
const groups: ReadonlySet<string> = new Set([allUsers, authenticatedUsers, logDelivery])

/** The canonical id that `aws-exec-read` grants to: EC2's, which reads images. Ours reads them by its certificate. */
const imageReader = '6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c'

/** S3's limit on the grants of one list. */
const mostGrants = 100

/** Who is known by which canonical id: grants to nobody are refused. */
export interface KnownAccounts {
  nameOf(canonicalId: string): string | undefined
  isAccount(accountId: string): boolean
  /** Whether a user or a role has this ARN. */
  isPrincipal(arn: string): boolean
}

const group = (uri: string, permission: S3.Permission): Grant => ({ grantee: { uri }, permission })
const account = (owner: Owner, permission: S3.Permission): Grant => ({
  grantee: { id: owner.canonicalId, name: owner.name },
  permission,
})

/** The grants of a canned list. `bucketOwner` is the object's bucket's. Throws InvalidArgument. */
export function cannedGrants(canned: string, owner: Owner, bucketOwner: Owner): Grant[] {
  const full = account(owner, 'FULL_CONTROL')
  const others: Readonly<Record<string, readonly Grant[]>> = {
    private: [],
    'public-read': [group(allUsers, 'READ')],
    'public-read-write': [group(allUsers, 'READ'), group(allUsers, 'WRITE')],
    'authenticated-read': [group(authenticatedUsers, 'READ')],
    'aws-exec-read': [{ grantee: { id: imageReader, name: 'za-team' }, permission: 'READ' }],
    'ec2-bundle-read': [{ grantee: { id: imageReader, name: 'za-team' }, permission: 'READ' }],
    'bucket-owner-read': bucketOwner.canonicalId === owner.canonicalId ? [] : [account(bucketOwner, 'READ')],
    'bucket-owner-full-control':
      bucketOwner.canonicalId === owner.canonicalId ? [] : [account(bucketOwner, 'FULL_CONTROL')],
    'log-delivery-write': [group(logDelivery, 'WRITE'), group(logDelivery, 'READ_ACP')],
  }
  const found = Object.hasOwn(others, canned) ? others[canned] : undefined
  if (!found)
    throw s3Error('InvalidArgument', { details: { ArgumentName: 'x-amz-acl', ArgumentValue: canned } })
  return [full, ...found]
}

export const ownersGrants = (owner: Owner): Grant[] => [account(owner, 'FULL_CONTROL')]

const headerGrants = {
  GrantFullControl: 'FULL_CONTROL',
  GrantRead: 'READ',
  GrantReadACP: 'READ_ACP',
  GrantWrite: 'WRITE',
  GrantWriteACP: 'WRITE_ACP',
} as const

export const aclMembers = ['ACL', 'GrantFullControl', 'GrantRead', 'GrantReadACP', 'GrantWriteACP'] as const

export interface AclInput {
  readonly ACL?: string | undefined
  readonly GrantFullControl?: string | undefined
  readonly GrantRead?: string | undefined
  readonly GrantReadACP?: string | undefined
  readonly GrantWrite?: string | undefined
  readonly GrantWriteACP?: string | undefined
}

export const saysAcl = (input: AclInput): boolean =>
  input.ACL !== undefined || Object.keys(headerGrants).some((name) => name in input)

/** What the request's headers ask for; null where they say nothing. Throws InvalidRequest, InvalidArgument. */
export function askedGrants(
  input: AclInput,
  owner: Owner,
  bucketOwner: Owner,
  known: KnownAccounts,
): Grant[] | null {
  const given = Object.entries(headerGrants).flatMap(([member, permission]) => {
    const text = input[member as keyof typeof headerGrants]
    return text === undefined ? [] : granteesOf(text, known).map((grantee) => ({ grantee, permission }))
  })
  if (input.ACL !== undefined) {
    if (given.length > 0)
      throw s3Error('InvalidRequest', {
        message: 'Specifying both Canned ACLs and Header Grants is not allowed',
      })
    return cannedGrants(input.ACL, owner, bucketOwner)
  }
  if (given.length > mostGrants)
    throw s3Error('InvalidRequest', { message: 'The ACL has more than 100 grants.' })
  return given.length > 0 ? given : null
}

/** `id="…", uri="…"`, with quotes or without. */
function granteesOf(text: string, known: KnownAccounts): Grant['grantee'][] {
  return text.split(',').map((part) => {
    const [, kind = '', value = ''] = /^\s*(\w+)\s*=\s*"?([^"]*)"?\s*$/.exec(part) ?? []
    if (kind.toLowerCase() === 'id') return grantee(value, known)
    if (kind.toLowerCase() === 'uri') return { uri: knownGroup(value) }
    if (kind.toLowerCase() === 'emailaddress') throw s3Error('UnresolvableGrantByEmailAddress')
    throw s3Error('InvalidArgument', { message: 'Argument format not recognized' })
  })
}

function grantee(id: string, known: KnownAccounts): Grant['grantee'] {
  const name = id === imageReader ? 'za-team' : known.nameOf(id)
  if (name === undefined)
    throw s3Error('InvalidArgument', {
      message: 'Invalid id',
      details: { ArgumentName: 'CanonicalUser/ID', ArgumentValue: id.slice(0, 100) },
    })
  return { id, name }
}

function knownGroup(uri: string): string {
  if (groups.has(uri)) return uri
  throw s3Error('InvalidArgument', {
    message: 'Invalid group uri',
    details: { ArgumentName: 'Group/URI', ArgumentValue: uri.slice(0, 200) },
  })
}

/** The document of a Put…Acl. The owner that it names must be the owner. Throws MalformedACLError, AccessDenied. */
export function grantsOfDocument(
  document: S3.AccessControlPolicy,
  owner: Owner,
  known: KnownAccounts,
): Grant[] {
  if (document.Owner?.ID === undefined) throw s3Error('MalformedACLError')
  if (document.Owner.ID !== owner.canonicalId) throw s3Error('AccessDenied')
  const grants = document.Grants ?? []
  if (grants.length > mostGrants) throw s3Error('MalformedACLError')
  return grants.map(({ Grantee: to, Permission: permission }) => {
    if (!to || permission === undefined) throw s3Error('MalformedACLError')
    if (to.Type === 'Group') return { grantee: { uri: knownGroup(to.URI ?? '') }, permission }
    if (to.Type === 'AmazonCustomerByEmail') throw s3Error('UnresolvableGrantByEmailAddress')
    if (to.Type !== 'CanonicalUser' || to.ID === undefined) throw s3Error('MalformedACLError')
    return { grantee: grantee(to.ID, known), permission }
  })
}

/** As GetBucketAcl and GetObjectAcl show it. */
export function shownAcl(grants: readonly Grant[], owner: Owner): { Owner: S3.Owner; Grants: S3.Grant[] } {
  return {
    Owner: { ID: owner.canonicalId, DisplayName: owner.name },
    Grants: grants.map(({ grantee: to, permission }) => ({
      Grantee:
        'uri' in to
          ? { Type: 'Group' as const, URI: to.uri }
          : { Type: 'CanonicalUser' as const, ID: to.id, DisplayName: to.name },
      Permission: permission,
    })),
  }
}

const isPublicGroup = (grant: Grant): boolean =>
  'uri' in grant.grantee && (grant.grantee.uri === allUsers || grant.grantee.uri === authenticatedUsers)

export const grantsPublic = (grants: readonly Grant[]): boolean => grants.some(isPublicGroup)

/** Whether the list lets the caller do it. `canonicalId` is null for somebody who did not sign. */
export function aclAllows(
  grants: readonly Grant[],
  canonicalId: string | null,
  permission: S3.Permission,
  options: { ignorePublic: boolean },
): boolean {
  return grants.some((grant) => {
    if (grant.permission !== permission && grant.permission !== 'FULL_CONTROL') return false
    if (!('uri' in grant.grantee)) return grant.grantee.id === canonicalId
    if (options.ignorePublic) return false
    return (
      grant.grantee.uri === allUsers || (grant.grantee.uri === authenticatedUsers && canonicalId !== null)
    )
  })
}

/** Refuses what an owner who disabled ACLs has no use for: everything but the owner's own full control. */
export function refuseAclWhereDisabled(input: AclInput): void {
  const harmless = !saysAcl(input) || ['bucket-owner-full-control', 'private'].includes(input.ACL ?? '')
  if (!harmless || Object.keys(headerGrants).some((name) => input[name as keyof AclInput] !== undefined))
    throw s3Error('AccessControlListNotSupported')
}
