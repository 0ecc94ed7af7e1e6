import type { StsInput, StsOutput, StsTypedAction } from '@mallee/iam-api'
import { assumeRole } from './sts/assume-role.ts'
import { assumeRoleWithWebIdentity } from './sts/assume-role-with-web-identity.ts'
import { getAccessToken } from './sts/get-access-token.ts'
import { decodeAuthorizationMessage } from './sts/decode-authorization-message.ts'
import { getAccessKeyInfo } from './sts/get-access-key-info.ts'
import { getCallerIdentity } from './sts/get-caller-identity.ts'
import { getFederationToken } from './sts/get-federation-token.ts'
import { getSessionToken } from './sts/get-session-token.ts'
import type { StsContext, UnsignedContext, WithSession } from './sts/sts-context.ts'

type StsAction<N extends StsTypedAction> = (ctx: StsContext, input: StsInput<N>) => Promise<StsOutput<N>>

/**
 * Every STS action that a signature comes with. Each asks for its own leave: GetCallerIdentity and GetSessionToken need
 * none, and what AssumeRole needs is the role's to say.
 */
const stsActions = {
  AssumeRole: assumeRole,
  DecodeAuthorizationMessage: decodeAuthorizationMessage,
  GetAccessKeyInfo: getAccessKeyInfo,
  GetCallerIdentity: getCallerIdentity,
  GetFederationToken: getFederationToken,
  GetSessionToken: getSessionToken,
} satisfies { [N in StsTypedAction]?: StsAction<N> }

type AnyStsAction = (ctx: StsContext, input: Record<string, unknown>) => Promise<Record<string, unknown>>

/** The same table as the door sees it: by name, with the types that the decoder vouches for. */
export const stsActionByName: ReadonlyMap<string, AnyStsAction> = new Map(
  Object.entries(stsActions) as unknown as [string, AnyStsAction][],
)

type UnsignedAction = (
  ctx: UnsignedContext,
  input: Record<string, unknown>,
) => Promise<WithSession<Record<string, unknown>>>

/** Those that prove themselves by what is in them. */
export const unsignedStsActionByName: ReadonlyMap<string, UnsignedAction> = new Map([
  ['AssumeRoleWithWebIdentity', assumeRoleWithWebIdentity as unknown as UnsignedAction],
  ['GetAccessToken', getAccessToken as unknown as UnsignedAction],
])
