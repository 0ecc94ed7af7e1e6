import { AwsError } from '@mallee/aws-protocol'
import type { StsInput, StsOutput } from '@mallee/iam-api'
import { decodeMessage } from '../../authorization/authorization-message.ts'
import type { StsContext } from './sts-context.ts'

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html */
export async function decodeAuthorizationMessage(
  ctx: StsContext,
  input: StsInput<'DecodeAuthorizationMessage'>,
): Promise<StsOutput<'DecodeAuthorizationMessage'>> {
  const { caller, conditions: context } = ctx
  await ctx.require(() => [{ action: 'sts:DecodeAuthorizationMessage', resource: '*', context }])
  const message = decodeMessage(ctx.keyring, input.EncodedMessage)
  const isOwn = message?.context.principal.arn.split(':')[4] === caller.accountId
  // What another account was refused is not this one's to read.
  if (!message || !(isOwn || caller.isCloudAdmin))
    throw new AwsError('InvalidAuthorizationMessageException', 'Message is not valid')
  return { DecodedMessage: JSON.stringify(message) }
}
