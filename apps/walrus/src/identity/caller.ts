import type { PolicySet, Principal } from '@mallee/iam-policy'
import type { SessionClaims } from '@mallee/session-token'

/** Who asks, out of a verified signature and nothing else. */
export interface Caller {
  readonly accessKeyId: string
  readonly accountId: string
  readonly canonicalId: string
  readonly accountName: string
  /** As aws:userid has it. */
  readonly userId: string
  /** As policies see it. */
  readonly principal: Principal
  /** Its own policies, made ready. */
  readonly policies: PolicySet
  /** Whether none of its own policies can stand in its way: as of the root of an account. */
  readonly unrestricted: boolean
  /** Of temporary credentials. */
  readonly session: Omit<SessionClaims, 'secretAccessKey'> | null
}

/** Who did not sign. The canonical id is the one that AWS uses for such owners of objects. */
export const anonymous: Caller = {
  accessKeyId: '',
  accountId: '',
  canonicalId: '65a011a29cdf8ec533ec3d1ccaae921c',
  accountName: '',
  userId: '',
  principal: { kind: 'anonymous' },
  policies: {},
  unrestricted: false,
  session: null,
}

/** For logs and events: the ARN, or what AWS writes for who has none. */
export const callerArn = ({ principal }: Caller): string => ('arn' in principal ? principal.arn : '-')

/** Who began an upload, as S3 shows it: an account by its canonical id, a user or a session of it by its ARN. */
export const initiatorId = (caller: Caller): string =>
  caller.principal.kind === 'root' ? caller.canonicalId : callerArn(caller)
