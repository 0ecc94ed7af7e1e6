import type { StsInput, StsOutput } from '@mallee/iam-api'
import { federatedUserArn } from '../../identity/arns.ts'
import { ownSeconds, requireLongTerm } from './get-session-token.ts'
import { issueSession } from './issue-session.ts'
import { sessionPolicies } from './session-policies.ts'
import { sessionTags, tagConditions } from './session-tags.ts'
import type { StsContext } from './sts-context.ts'

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html */
export async function getFederationToken(
  ctx: StsContext,
  input: StsInput<'GetFederationToken'>,
): Promise<StsOutput<'GetFederationToken'>> {
  requireLongTerm(ctx, 'GetFederationToken')
  const { accountId } = ctx.caller
  const arn = federatedUserArn(accountId, input.Name)
  const { tags } = sessionTags(ctx, input.Tags, undefined)
  const context = { ...ctx.conditions, ...tagConditions(input.Tags, undefined) }
  await ctx.require(() => [
    { action: 'sts:GetFederationToken', resource: arn, context },
    ...(Object.keys(tags).length > 0 ? [{ action: 'sts:TagSession', resource: arn, context }] : []),
  ])
  const { credentials, packedPercent } = await issueSession(ctx, {
    accountId,
    holder: { kind: 'federated', userId: ctx.caller.userId, name: input.Name },
    expiresAtMs: ctx.nowMs + ownSeconds(ctx, input.DurationSeconds) * 1000,
    policies: await ctx.read((db) => sessionPolicies(db, accountId, input)),
    tags,
  })
  return {
    Credentials: credentials,
    FederatedUser: { FederatedUserId: `${accountId}:${input.Name}`, Arn: arn },
    PackedPolicySize: packedPercent,
  }
}
