import type { StsInput, StsOutput } from '@mallee/iam-api'
import { callerArn } from '../../identity/caller.ts'
import type { StsContext } from './sts-context.ts'

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html */
export async function getCallerIdentity(
  { caller }: StsContext,
  _input: StsInput<'GetCallerIdentity'>,
): Promise<StsOutput<'GetCallerIdentity'>> {
  return { Account: caller.accountId, Arn: callerArn(caller), UserId: caller.principal.userId }
}
