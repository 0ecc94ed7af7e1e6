import type { Log, Random } from '@mallee/base'
import type { SessionClaims } from '@mallee/session-token'
import type { Ask } from '../../authorization/authorize.ts'
import type { LoginContext } from '../../identity/log-in.ts'
import type { OidcKeys } from '../../identity/oidc-keys.ts'
import type { Reader } from '../../store/record.ts'
import type { SessionKeys } from '../../store/session-key-store.ts'
import type { ActionContext } from '../define-action.ts'

/** What an action of STS works with beside every action's context. */
export interface StsContext extends ActionContext {
  readonly sessionKeys: SessionKeys
  /** Condition keys of the request. */
  readonly conditions: Ask['context']
  /** Throws AccessDenied unless the caller may do each of these. */
  require(asksOf: (db: Reader) => Promise<readonly Ask[]> | readonly Ask[]): Promise<void>
}

/** Temporary credentials as STS answers them. */
export interface AnsweredCredentials {
  AccessKeyId: string
  SecretAccessKey: string
  SessionToken: string
  Expiration: Date
}

export type NewClaims = Omit<SessionClaims, 'accessKeyId' | 'secretAccessKey' | 'issuedAtMs'>

/** What an action works with that nobody signed: it makes a session of what proves itself. */
export interface UnsignedContext extends LoginContext {
  readonly sessionKeys: SessionKeys
  readonly oidcKeys: OidcKeys
  readonly random: Random
  readonly log: Log
  /** Condition keys of the request. */
  readonly conditions: Ask['context']
  /** The header of that name. */
  readonly authorization: string | undefined
}

export interface WithSession<Output> {
  readonly output: Output
  readonly session: Omit<SessionClaims, 'secretAccessKey'>
}
