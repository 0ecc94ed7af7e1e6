/**
 * What IAM keeps, as TypeScript (see tables.ts for the rules). Names are unique in an account without regard to case, as
 * in AWS. An `owner_id` is the id of a user, a group or a role, or of an account for its account policies.
 */
import type { Bit } from './tables.ts'

export interface UserTable {
  /** `AIDA…` */
  id: string
  account_id: string
  /** Of the root `<root_account>`, which no user can be called. */
  name: string
  /** `/` or `/division/team/`. */
  path: string
  /** The account itself, which no policy of its own restricts. */
  is_root: Bit
  password_used_at: number | null
  /** Eucalyptus' free texts of a user, as a JSON object. */
  info: string | null
  created_at: number
}

export interface AccessKeyTable {
  id: string
  account_id: string
  user_id: string
  /** Wrapped by the keyring. */
  sealed_secret: string
  enabled: Bit
  used_at: number | null
  used_service: string | null
  used_region: string | null
  created_at: number
}

export interface AccountAliasTable {
  account_id: string
  /** Unique in the cloud. */
  alias: string
}

export interface GroupTable {
  /** `AGPA…` */
  id: string
  account_id: string
  name: string
  path: string
  created_at: number
}

export interface GroupMemberTable {
  group_id: string
  user_id: string
}

export interface RoleTable {
  /** `AROA…` */
  id: string
  account_id: string
  name: string
  path: string
  description: string | null
  trust_policy: string
  /** The longest a session of it may be, 3,600 to 43,200. */
  session_seconds: number
  used_at: number | null
  used_region: string | null
  created_at: number
}

export interface InlinePolicyTable {
  owner_id: string
  name: string
  document: string
}

export interface PolicyTable {
  /** `ANPA…` */
  id: string
  account_id: string
  name: string
  path: string
  description: string | null
  default_version: number
  /** Versions are numbered once: that of a deleted one does not come back. */
  latest_version: number
  created_at: number
  updated_at: number
}

export interface PolicyVersionTable {
  policy_id: string
  version: number
  document: string
  created_at: number
}

/** A managed policy, ours or AWS's, on a user, a group or a role. */
export interface AttachmentTable {
  owner_id: string
  policy_arn: string
  attached_at: number
}

/** The permissions boundary of a user or a role. */
export interface BoundaryTable {
  owner_id: string
  policy_arn: string
}

/** Tags of users, roles, policies, instance profiles, providers, certificates and MFA devices. */
export interface IdentityTagTable {
  owner_id: string
  tag_key: string
  value: string
}

export interface InstanceProfileTable {
  /** `AIPA…` */
  id: string
  account_id: string
  name: string
  path: string
  /** At most one, as in AWS. */
  role_id: string | null
  created_at: number
}

export interface ProfileAssociationTable {
  /** `iip-assoc-…` */
  id: string
  account_id: string
  instance_id: string
  profile_id: string
  state: 'associated' | 'disassociated'
  changed_at: number
}

export interface LoginProfileTable {
  user_id: string
  /** As identity/passwords.ts writes it. */
  password_hash: string
  must_change: Bit
  /** Wrong passwords in a row. */
  failures: number
  locked_until: number | null
  created_at: number
  changed_at: number
  /** Hashes of passwords before this one, newest first, as a JSON list: what a policy forbids to use again. */
  former: string
}

export interface PasswordPolicyTable {
  account_id: string
  /** JSON of IAM's PasswordPolicy. */
  body: string
}

export interface OidcProviderTable {
  id: string
  account_id: string
  /** Without `https://`, as the ARN has it. */
  url: string
  /** JSON list. */
  client_ids: string
  /** JSON list. */
  thumbprints: string
  created_at: number
}

export interface ServerCertificateTable {
  /** `ASCA…` */
  id: string
  account_id: string
  name: string
  path: string
  body: string
  chain: string | null
  sealed_key: string
  expires_at: number
  uploaded_at: number
}

export interface MfaDeviceTable {
  id: string
  account_id: string
  name: string
  path: string
  sealed_seed: string
  user_id: string | null
  /** The newest 30-second step whose code was taken: no code is taken twice. */
  used_step: number
  enabled_at: number | null
  created_at: number
}

export interface CredentialReportTable {
  account_id: string
  /** CSV */
  content: string
  made_at: number
}

/** What session tokens are sealed with; walrus has them too. All open, and the newest that is some minutes old seals. */
export interface SessionKeyTable {
  id: string
  /** Base64 of 32 bytes, wrapped by the keyring. */
  sealed_key: string
  created_at: number
}

export interface IdentityTables {
  iam_account_alias: AccountAliasTable
  iam_group: GroupTable
  iam_group_member: GroupMemberTable
  iam_role: RoleTable
  iam_inline_policy: InlinePolicyTable
  iam_policy: PolicyTable
  iam_policy_version: PolicyVersionTable
  iam_attachment: AttachmentTable
  iam_boundary: BoundaryTable
  iam_tag: IdentityTagTable
  iam_instance_profile: InstanceProfileTable
  iam_profile_association: ProfileAssociationTable
  iam_login_profile: LoginProfileTable
  iam_password_policy: PasswordPolicyTable
  iam_oidc_provider: OidcProviderTable
  iam_server_certificate: ServerCertificateTable
  iam_mfa_device: MfaDeviceTable
  iam_credential_report: CredentialReportTable
  session_key: SessionKeyTable
}
