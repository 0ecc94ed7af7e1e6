export { maySign, newSession, openSession, sealSession, sessionConditions } from './session-token.ts'
export type { SessionClaims, SessionHolder, SessionKey } from './session-token.ts'
