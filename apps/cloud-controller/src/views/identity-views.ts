/** Users, groups, roles and instance profiles as IAM answers them. */
import { uriEncode } from '@mallee/aws-protocol'
import type { Iam } from '@mallee/iam-api'
import { iamArn, rootArn } from '../identity/arns.ts'
import type { GroupTable, InstanceProfileTable, RoleTable, UserTable } from '../store/identity-tables.ts'
import { eucalyptusRootName } from '../store/user-store.ts'

/** What a list leaves out and a single answer has. */
export interface FurtherParts {
  readonly tags?: readonly Iam.Tag[] | undefined
  readonly boundary?: string | null | undefined
}

/** Policies are answered as RFC 3986 writes them in a URL. */
export const encodedDocument = (document: string): string => uriEncode(document)

export function boundaryView(arn: string | null | undefined): Iam.AttachedPermissionsBoundary | undefined {
  if (!arn) return undefined
  return { PermissionsBoundaryType: 'PermissionsBoundaryPolicy', PermissionsBoundaryArn: arn }
}

const furtherParts = ({ tags, boundary }: FurtherParts) => ({
  ...(tags && tags.length > 0 ? { Tags: [...tags] } : {}),
  ...(boundary ? { PermissionsBoundary: boundaryView(boundary) } : {}),
})

export function userView(user: UserTable, further: FurtherParts = {}): Iam.User {
  return {
    Path: user.path,
    UserName: user.name,
    UserId: user.id,
    Arn: iamArn('user', user),
    CreateDate: new Date(user.created_at),
    ...(user.password_used_at === null ? {} : { PasswordLastUsed: new Date(user.password_used_at) }),
    ...furtherParts(further),
  }
}

/** As AWS answers its root who asks for itself: without name and path. Eucalyptus' clients ask by a name, and get it. */
export function rootView(root: UserTable, asked: string | undefined): Iam.User {
  const named = asked === undefined ? {} : { Path: root.path, UserName: eucalyptusRootName }
  return {
    ...named,
    UserId: root.account_id,
    Arn: rootArn(root.account_id),
    CreateDate: new Date(root.created_at),
    ...(root.password_used_at === null ? {} : { PasswordLastUsed: new Date(root.password_used_at) }),
  } as Iam.User
}

export function groupView(group: GroupTable): Iam.Group {
  return {
    Path: group.path,
    GroupName: group.name,
    GroupId: group.id,
    Arn: iamArn('group', group),
    CreateDate: new Date(group.created_at),
  }
}

export function roleView(role: RoleTable, further: FurtherParts = {}): Iam.Role {
  return {
    Path: role.path,
    RoleName: role.name,
    RoleId: role.id,
    Arn: iamArn('role', role),
    CreateDate: new Date(role.created_at),
    AssumeRolePolicyDocument: encodedDocument(role.trust_policy),
    ...(role.description === null ? {} : { Description: role.description }),
    MaxSessionDuration: role.session_seconds,
    ...furtherParts(further),
  }
}

/** With when it was used, as a single role is answered. */
export function wholeRoleView(role: RoleTable, further: FurtherParts): Iam.Role {
  const used =
    role.used_at === null
      ? {}
      : {
          LastUsedDate: new Date(role.used_at),
          ...(role.used_region === null ? {} : { Region: role.used_region }),
        }
  return { ...roleView(role, further), RoleLastUsed: used }
}

export function instanceProfileView(
  profile: InstanceProfileTable,
  role: RoleTable | undefined,
  tags: readonly Iam.Tag[] = [],
): Iam.InstanceProfile {
  return {
    Path: profile.path,
    InstanceProfileName: profile.name,
    InstanceProfileId: profile.id,
    Arn: iamArn('instance-profile', profile),
    CreateDate: new Date(profile.created_at),
    Roles: role ? [roleView(role)] : [],
    ...furtherParts({ tags }),
  }
}
