import { accessDenied, validationError, type StsInput, type StsOutput } from '@mallee/iam-api'
import { trustPolicy, type Ask } from '../../authorization/authorize.ts'
import { assumedRoleArn, iamArn } from '../../identity/arns.ts'
import type { RoleTable } from '../../store/identity-tables.ts'
import { findRoleByArn, isUseNews, noteRoleUse } from '../../store/role-store.ts'
import { issueSession } from './issue-session.ts'
import { mfaConditions, proveMfa } from './prove-mfa.ts'
import { sessionPolicies } from './session-policies.ts'
import { sessionTags, tagConditions } from './session-tags.ts'
import type { StsContext } from './sts-context.ts'

type Input = StsInput<'AssumeRole'>

/** A role that is assumed by a session of a role may be held for an hour only. */
const chainedSeconds = 3600

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
export async function assumeRole(ctx: StsContext, input: Input): Promise<StsOutput<'AssumeRole'>> {
  const { caller } = ctx
  if (caller.principal.kind === 'root') throw accessDenied('Roles may not be assumed by root accounts.')
  if (input.ProvidedContexts !== undefined && input.ProvidedContexts.length > 0)
    throw validationError('ProvidedContexts are not supported by this cloud.')
  const tagged = sessionTags(ctx, input.Tags, input.TransitiveTagKeys)
  const sourceIdentity = sourceIdentityOf(ctx, input)
  const mfaAtMs = await proveMfa(ctx, input)
  const role = await ctx.read((db) => findRoleByArn(db, input.RoleArn))
  await ctx.require(() => asksOf(ctx, input, role, { mfaAtMs }))
  if (!role) throw new Error('a role that is not there was allowed')
  const seconds = durationOf(ctx, input, role)
  const policies = await ctx.read((db) => sessionPolicies(db, role.account_id, input))
  const { credentials, packedPercent } = await issueSession(ctx, {
    accountId: role.account_id,
    holder: { kind: 'role', roleId: role.id, name: input.RoleSessionName },
    expiresAtMs: ctx.nowMs + seconds * 1000,
    policies,
    tags: tagged.tags,
    transitiveTagKeys: tagged.transitive,
    ...{ sourceIdentity, mfaAtMs },
  })
  if (isUseNews(role, ctx.nowMs))
    await ctx.transaction(async (tx) => {
      await noteRoleUse(tx, role, { nowMs: ctx.nowMs, region: ctx.settings.region })
      tx.touch(role.id)
    })
  return {
    Credentials: credentials,
    AssumedRoleUser: {
      AssumedRoleId: `${role.id}:${input.RoleSessionName}`,
      Arn: assumedRoleArn(role, input.RoleSessionName),
    },
    PackedPolicySize: packedPercent,
    ...(sourceIdentity === undefined ? {} : { SourceIdentity: sourceIdentity }),
  }
}

/** A role that is not there is refused as one that does not trust the caller. */
function asksOf(
  ctx: StsContext,
  input: Input,
  role: RoleTable | null,
  { mfaAtMs }: { mfaAtMs: number | undefined },
): Ask[] {
  const on = role
    ? { resource: iamArn('role', role), resourceAccountId: role.account_id }
    : { resource: input.RoleArn, resourceAccountId: ctx.caller.accountId }
  const trust = trustPolicy(on.resource, role?.trust_policy ?? trustsNobody)
  const context = {
    ...ctx.conditions,
    ...mfaConditions(mfaAtMs, ctx.nowMs),
    'sts:ExternalId': input.ExternalId,
    'sts:RoleSessionName': input.RoleSessionName,
    'sts:SourceIdentity': input.SourceIdentity,
    ...tagConditions(input.Tags, input.TransitiveTagKeys),
  }
  const ask = (action: string): Ask => ({ action, ...on, context, resourcePolicy: trust })
  return [
    ask('sts:AssumeRole'),
    ...(input.Tags && input.Tags.length > 0 ? [ask('sts:TagSession')] : []),
    ...(input.SourceIdentity === undefined ? [] : [ask('sts:SetSourceIdentity')]),
  ]
}

const trustsNobody = JSON.stringify({
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Principal: { AWS: '000000000000' }, Action: 'sts:AssumeRole' },
})

function durationOf(ctx: StsContext, input: Input, role: RoleTable): number {
  const seconds = input.DurationSeconds ?? 3600
  if (seconds > role.session_seconds)
    throw validationError('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.')
  if (ctx.caller.principal.kind === 'role-session' && seconds > chainedSeconds)
    throw validationError(
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
    )
  return seconds
}

/** Once set it stays with every role that is assumed from there. */
function sourceIdentityOf(ctx: StsContext, input: Input): string | undefined {
  const own = ctx.caller.session?.sourceIdentity
  if (own !== undefined && input.SourceIdentity !== undefined && own !== input.SourceIdentity)
    throw validationError('The SourceIdentity of the session cannot be changed.')
  return own ?? input.SourceIdentity
}
