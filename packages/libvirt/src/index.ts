/** A typed, asynchronous client of libvirt's RPC protocol over its socket. */
export { connectLibvirt } from './connection.ts'
export type { ConnectOptions, LibvirtConnection } from './connection.ts'
export type { DomainInfo, DomainRef } from './domain-calls.ts'
export type { MetadataTarget } from './device-calls.ts'
export type { DomainState, DomainStateName } from './domain-state.ts'
export {
  LibvirtBusyError,
  LibvirtConnectionError,
  LibvirtError,
  LibvirtProtocolError,
  LibvirtTimeoutError,
} from './errors.ts'
export type { LibvirtErrorDetail } from './errors.ts'
export type { DomainEventKind, DomainEvents, LifecycleEvent, Unsubscribe } from './events.ts'
export type { LibvirtErrorDomain, LibvirtErrorName } from './generated/error-names.ts'
export { versionText } from './host-calls.ts'
export type { DomainCapabilitiesQuery, NodeInfo } from './host-calls.ts'
export type { AnswerOf, ArgumentsOf, CallOptions, ProcedureName } from './rpc.ts'
export type { SecretRef, SecretUsage } from './secret-calls.ts'
export type { BlockIoTune, DomainStats, StatsQuery } from './stats-calls.ts'
export { LibvirtStream } from './stream.ts'
export type { Screenshot } from './stream-calls.ts'
export { toWire as typedParams } from './typed-params.ts'
export type { TypedParams, TypedParamType } from './typed-params.ts'
