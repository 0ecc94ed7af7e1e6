export { checkBucketPolicy } from './bucket-policy.ts'
export type { ActionOn, BucketPolicyOptions } from './bucket-policy.ts'
export { compilePolicy } from './compile-policy.ts'
export type { CompiledPolicy, CompiledStatement } from './compile-policy.ts'
export { contextKeysOf } from './context-keys.ts'
export { evaluate } from './evaluate.ts'
export type { DecidingStatement, Decision, PolicyPlace, PolicySet } from './evaluate.ts'
export { allowEverything, PolicyCache } from './policy-cache.ts'
export { parsePolicy } from './parse-policy.ts'
export type { ParsePolicyOptions } from './parse-policy.ts'
export type { Pattern, Token } from './pattern.ts'
export type {
  ActionElement,
  Condition,
  OperatorName,
  Policy,
  PolicyKind,
  PrincipalElement,
  PrincipalPattern,
  ResourceElement,
  Statement,
} from './policy.ts'
export { PolicySyntaxError } from './policy-syntax-error.ts'
export { quotaKeys, splitQuotaPolicy } from './quota-policy.ts'
export type { QuotaLimit, SplitPolicy } from './quota-policy.ts'
export { isPublic } from './public-policy.ts'
export type {
  AnonymousPrincipal,
  ContextScalar,
  ContextValue,
  FederatedPrincipal,
  PolicyRequest,
  Principal,
  ProviderPrincipal,
  RoleSessionPrincipal,
  RootPrincipal,
  ServicePrincipal,
  UserPrincipal,
} from './request.ts'
export { statementPositions } from './statement-position.ts'
export type { Position, StatementPosition } from './statement-position.ts'
