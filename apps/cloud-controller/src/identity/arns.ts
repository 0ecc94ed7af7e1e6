/** ARNs of what IAM keeps. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html */
export type ArnType = 'user' | 'group' | 'role' | 'policy' | 'instance-profile' | 'server-certificate' | 'mfa'

export interface Named {
  readonly account_id: string
  readonly path: string
  readonly name: string
}

export const iamArn = (type: ArnType, { account_id: account, path, name }: Named): string =>
  `arn:aws:iam::${account}:${type}${path}${name}`

export const rootArn = (accountId: string): string => `arn:aws:iam::${accountId}:root`

/** A session of a role, as STS calls it. */
export const assumedRoleArn = (role: Pick<Named, 'account_id' | 'name'>, session: string): string =>
  `arn:aws:sts::${role.account_id}:assumed-role/${role.name}/${session}`

export const federatedUserArn = (accountId: string, name: string): string =>
  `arn:aws:sts::${accountId}:federated-user/${name}`

export interface ParsedIamArn {
  /** `aws` for AWS's own policies. */
  readonly accountId: string
  readonly type: string
  readonly path: string
  readonly name: string
}

/** An ARN of IAM with a name after its type and path; null where it is none. */
export function parseIamArn(arn: string): ParsedIamArn | null {
  const [, accountId, type, path, name] =
    /^arn:aws:iam::(\d{12}|aws):([a-z-]+)(\/(?:[!-~]+\/)?)([\w+=,.@-]+)$/.exec(arn) ?? []
  if (!accountId || !type || !path || !name) return null
  return { accountId, type, path, name }
}
