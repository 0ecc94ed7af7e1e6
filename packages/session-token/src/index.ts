export { maySign, newSession, openSession, sealSession } from './session-token.ts'
export type { SessionClaims, SessionHolder, SessionKey } from './session-token.ts'
