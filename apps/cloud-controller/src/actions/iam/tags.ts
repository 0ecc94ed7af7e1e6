/** Tags of whatever IAM tags: seven kinds of things, one way. https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagUser.html */
import type { Iam } from '@mallee/iam-api'
import { roleNamed } from '../../store/identity/holder-store.ts'
import { putTags, removeTags, tagsOf } from '../../store/identity/identity-tag-store.ts'
import { instanceProfileNamed } from '../../store/identity/instance-profile-store.ts'
import { mfaDeviceNamed } from '../../store/identity/mfa-store.ts'
import type { Reader } from '../../store/record.ts'
import { userNamed } from '../../store/user-store.ts'
import type { ActionContext } from '../define-action.ts'
import { changed, markerPage, type IamActions, type MarkerInput } from './iam-action.ts'
import { ownPolicy } from './managed-policies.ts'
import { oidcProviderNamed } from './oidc-providers.ts'
import { serverCertificateNamed } from './server-certificates.ts'

/** How each kind of thing is found by its name or its ARN in an account. */
const finders = {
  User: userNamed,
  Role: roleNamed,
  Policy: ownPolicy,
  InstanceProfile: instanceProfileNamed,
  OpenIDConnectProvider: oidcProviderNamed,
  ServerCertificate: serverCertificateNamed,
  MFADevice: mfaDeviceNamed,
} satisfies Record<string, (db: Reader, accountId: string, name: string) => Promise<{ readonly id: string }>>

type Kind = keyof typeof finders

async function tag(ctx: ActionContext, kind: Kind, name: string, tags: readonly Iam.Tag[]): Promise<void> {
  await ctx.transaction(async (tx) => {
    const { id } = await finders[kind](tx.db, ctx.caller.accountId, name)
    await putTags(tx, id, tags, kind)
    changed(ctx, tx, id)
  })
}

async function untag(ctx: ActionContext, kind: Kind, name: string, keys: readonly string[]): Promise<void> {
  await ctx.transaction(async (tx) => {
    const { id } = await finders[kind](tx.db, ctx.caller.accountId, name)
    await removeTags(tx, id, keys)
    changed(ctx, tx, id)
  })
}

function list(ctx: ActionContext, kind: Kind, name: string, input: MarkerInput) {
  return ctx.read(async (db) => {
    const { id } = await finders[kind](db, ctx.caller.accountId, name)
    const { items, rest } = markerPage(ctx, await tagsOf(db, id), input, ({ Key }) => Key)
    return { Tags: items, ...rest }
  })
}

export const tagActions = {
  TagUser: (ctx, input) => tag(ctx, 'User', input.UserName, input.Tags),
  TagRole: (ctx, input) => tag(ctx, 'Role', input.RoleName, input.Tags),
  TagPolicy: (ctx, input) => tag(ctx, 'Policy', input.PolicyArn, input.Tags),
  TagInstanceProfile: (ctx, input) => tag(ctx, 'InstanceProfile', input.InstanceProfileName, input.Tags),
  TagOpenIDConnectProvider: (ctx, input) =>
    tag(ctx, 'OpenIDConnectProvider', input.OpenIDConnectProviderArn, input.Tags),
  TagServerCertificate: (ctx, input) =>
    tag(ctx, 'ServerCertificate', input.ServerCertificateName, input.Tags),
  TagMFADevice: (ctx, input) => tag(ctx, 'MFADevice', input.SerialNumber, input.Tags),
  UntagUser: (ctx, input) => untag(ctx, 'User', input.UserName, input.TagKeys),
  UntagRole: (ctx, input) => untag(ctx, 'Role', input.RoleName, input.TagKeys),
  UntagPolicy: (ctx, input) => untag(ctx, 'Policy', input.PolicyArn, input.TagKeys),
  UntagInstanceProfile: (ctx, input) =>
    untag(ctx, 'InstanceProfile', input.InstanceProfileName, input.TagKeys),
  UntagOpenIDConnectProvider: (ctx, input) =>
    untag(ctx, 'OpenIDConnectProvider', input.OpenIDConnectProviderArn, input.TagKeys),
  UntagServerCertificate: (ctx, input) =>
    untag(ctx, 'ServerCertificate', input.ServerCertificateName, input.TagKeys),
  UntagMFADevice: (ctx, input) => untag(ctx, 'MFADevice', input.SerialNumber, input.TagKeys),
  ListUserTags: (ctx, input) => list(ctx, 'User', input.UserName, input),
  ListRoleTags: (ctx, input) => list(ctx, 'Role', input.RoleName, input),
  ListPolicyTags: (ctx, input) => list(ctx, 'Policy', input.PolicyArn, input),
  ListInstanceProfileTags: (ctx, input) => list(ctx, 'InstanceProfile', input.InstanceProfileName, input),
  ListOpenIDConnectProviderTags: (ctx, input) =>
    list(ctx, 'OpenIDConnectProvider', input.OpenIDConnectProviderArn, input),
  ListServerCertificateTags: (ctx, input) =>
    list(ctx, 'ServerCertificate', input.ServerCertificateName, input),
  ListMFADeviceTags: (ctx, input) => list(ctx, 'MFADevice', input.SerialNumber, input),
} satisfies IamActions
