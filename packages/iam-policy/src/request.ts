/** What is decided upon: who asks for what, and all that is known of the request. */

/** The principal of a request, as it was proven. */
export type Principal =
  | RootPrincipal
  | UserPrincipal
  | RoleSessionPrincipal
  | FederatedPrincipal
  | ProviderPrincipal
  | ServicePrincipal
  | AnonymousPrincipal

interface InAccount {
  readonly accountId: string
  readonly arn: string
  /** Unique id as aws:userid has it: of a root user the account's id, of a session `ROLE-ID:NAME`. */
  readonly userId: string
  /** S3's id of the account, where policies may name it. */
  readonly canonicalUserId?: string
  /** aws:PrincipalTag/…: the tags of the user, or of the role and the session. */
  readonly tags?: Readonly<Record<string, string>>
}

export interface RootPrincipal extends InAccount {
  readonly kind: 'root'
}

export interface UserPrincipal extends InAccount {
  readonly kind: 'user'
  readonly userName: string
}

/** A session of a role: `arn` is arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION. */
export interface RoleSessionPrincipal extends InAccount {
  readonly kind: 'role-session'
  readonly roleArn: string
}

/** A session of GetFederationToken: `arn` is arn:aws:sts::ACCOUNT:federated-user/NAME. */
export interface FederatedPrincipal extends InAccount {
  readonly kind: 'federated'
  /** The user whose policies the session has. */
  readonly issuerArn: string
}

/** Known to an identity provider alone, on the way to AssumeRoleWithWebIdentity or AssumeRoleWithSAML. */
export interface ProviderPrincipal {
  readonly kind: 'identity-provider'
  readonly provider: string
}

export interface ServicePrincipal {
  readonly kind: 'service'
  /** `ec2.amazonaws.com` */
  readonly service: string
}

export interface AnonymousPrincipal {
  readonly kind: 'anonymous'
}

export type ContextScalar = string | number | boolean | Date
/** A list is a key of many values, even if it has one; an empty list is a key that is not there. */
export type ContextValue = ContextScalar | readonly ContextScalar[] | null | undefined

export interface PolicyRequest {
  readonly principal: Principal
  /** `s3:GetObject` */
  readonly action: string
  /** The ARN, or `*` where the action is on nothing. */
  readonly resource: string
  /** Whose the resource is; where there is none, the principal's account. */
  readonly resourceAccountId: string
  /** Keys without regard to case. What is said of the principal (aws:userid …) comes from `principal`, never from here. */
  readonly context: Readonly<Record<string, ContextValue>>
}
