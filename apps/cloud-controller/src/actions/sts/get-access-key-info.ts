import { validationError, type StsInput, type StsOutput } from '@mallee/iam-api'
import { findKeyOwner } from '../../store/account-store.ts'
import type { StsContext } from './sts-context.ts'

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_GetAccessKeyInfo.html; of long-term keys alone. */
export async function getAccessKeyInfo(
  ctx: StsContext,
  input: StsInput<'GetAccessKeyInfo'>,
): Promise<StsOutput<'GetAccessKeyInfo'>> {
  const { conditions: context } = ctx
  await ctx.require(() => [{ action: 'sts:GetAccessKeyInfo', resource: '*', context }])
  const owner = await ctx.read((db) => findKeyOwner(db, input.AccessKeyId))
  if (!owner) throw validationError('The access key ID is not one of this cloud.')
  return { Account: owner.account.id }
}
