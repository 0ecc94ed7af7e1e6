import { AwsError } from '@mallee/aws-protocol'
import { accessDenied, validationError, type StsInput, type StsOutput } from '@mallee/iam-api'
import { evaluate, type ContextValue } from '@mallee/iam-policy'
import { trustPolicy } from '../../authorization/authorize.ts'
import { assumedRoleArn, iamArn } from '../../identity/arns.ts'
import { isSignedBy, readIdToken, type IdToken } from '../../identity/id-token.ts'
import type { OidcProviderTable, RoleTable } from '../../store/identity-tables.ts'
import { findRoleByArn } from '../../store/role-store.ts'
import { oidcProviderArn } from '../iam/oidc-providers.ts'
import { issueSession } from './issue-session.ts'
import { sessionPolicies } from './session-policies.ts'
import type { UnsignedContext, WithSession } from './sts-context.ts'

type Input = StsInput<'AssumeRoleWithWebIdentity'>

/**
 * The token is the proof: nothing signs the request.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
 */
export async function assumeRoleWithWebIdentity(
  ctx: UnsignedContext,
  input: Input,
): Promise<WithSession<StsOutput<'AssumeRoleWithWebIdentity'>>> {
  const token = readIdToken(input.WebIdentityToken)
  if (!token)
    throw invalidToken(
      'The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)',
    )
  const role = await ctx.read((db) => findRoleByArn(db, input.RoleArn))
  if (!role) throw refused()
  const provider = await providerOf(ctx, role, token)
  await prove(ctx, provider, token)
  const federation = conditionsOf(provider, token)
  requireTrust(ctx, role, provider, { ...federation, 'sts:RoleSessionName': input.RoleSessionName })
  const seconds = input.DurationSeconds ?? 3600
  if (seconds > role.session_seconds)
    throw validationError('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.')
  const policies = await ctx.read((db) => sessionPolicies(db, role.account_id, input))
  const claims = {
    accountId: role.account_id,
    holder: { kind: 'role' as const, roleId: role.id, name: input.RoleSessionName },
    expiresAtMs: ctx.nowMs + seconds * 1000,
    ...{ policies, federation },
  }
  const { credentials, packedPercent } = await issueSession(ctx, claims)
  return {
    session: { ...claims, accessKeyId: credentials.AccessKeyId, issuedAtMs: ctx.nowMs },
    output: {
      Credentials: credentials,
      SubjectFromWebIdentityToken: token.subject,
      AssumedRoleUser: {
        AssumedRoleId: `${role.id}:${input.RoleSessionName}`,
        Arn: assumedRoleArn(role, input.RoleSessionName),
      },
      PackedPolicySize: packedPercent,
      Provider: oidcProviderArn(provider),
      Audience: token.audiences[0]!,
    },
  }
}

const invalidToken = (message: string) => new AwsError('InvalidIdentityToken', message)
const refused = () => accessDenied('Not authorized to perform sts:AssumeRoleWithWebIdentity')

async function providerOf(ctx: UnsignedContext, role: RoleTable, token: IdToken): Promise<OidcProviderTable> {
  const provider = await ctx.read((db) =>
    db
      .selectFrom('iam_oidc_provider')
      .selectAll()
      .where('account_id', '=', role.account_id)
      .where('url', '=', token.issuer.replace(/^https:\/\//, ''))
      .executeTakeFirst(),
  )
  if (!provider || !token.issuer.startsWith('https://'))
    throw invalidToken('No OpenIDConnect provider found in your account for the issuer of the token')
  return provider
}

/** Throws unless the issuer signed it, for one of our clients, and its time is now. */
async function prove(ctx: UnsignedContext, provider: OidcProviderTable, token: IdToken): Promise<void> {
  const clients = JSON.parse(provider.client_ids) as string[]
  if (!token.audiences.some((audience) => clients.includes(audience)))
    throw invalidToken('Incorrect token audience')
  const nowSeconds = ctx.nowMs / 1000
  if (token.expiresAt <= nowSeconds)
    throw new AwsError(
      'ExpiredTokenException',
      'Token expired: current date/time must be before the expiration date/time',
    )
  if (token.notBefore !== null && token.notBefore > nowSeconds + 60)
    throw invalidToken('The token is not valid yet')
  const issuer = { url: token.issuer, thumbprints: JSON.parse(provider.thumbprints) as string[] }
  const key = await ctx.oidcKeys.find(issuer, token.keyId).catch((error: unknown) => {
    ctx.log.warn(
      { issuer: issuer.url, reason: (error as Error).message },
      'an identity provider did not answer',
    )
    throw new AwsError(
      'IDPCommunicationError',
      "Couldn't retrieve verification key from your identity provider",
    )
  })
  if (!key || !isSignedBy(token, key))
    throw invalidToken('The signature of the token is not one of its issuer')
}

function conditionsOf(provider: OidcProviderTable, token: IdToken): Record<string, string> {
  return {
    'aws:FederatedProvider': oidcProviderArn(provider),
    [`${provider.url}:aud`]: token.audiences[0]!,
    [`${provider.url}:sub`]: token.subject,
  }
}

function requireTrust(
  ctx: UnsignedContext,
  role: RoleTable,
  provider: OidcProviderTable,
  context: Readonly<Record<string, ContextValue>>,
): void {
  const arn = iamArn('role', role)
  const { outcome } = evaluate(
    {
      principal: { kind: 'identity-provider', provider: oidcProviderArn(provider) },
      action: 'sts:AssumeRoleWithWebIdentity',
      resource: arn,
      resourceAccountId: role.account_id,
      context: { ...ctx.conditions, ...context },
    },
    { resource: trustPolicy(arn, role.trust_policy) },
  )
  if (outcome !== 'allow') throw refused()
}
