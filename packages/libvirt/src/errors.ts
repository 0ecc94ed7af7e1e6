/**
 * What can go wrong on a connection, as types a caller can tell apart: libvirt said no (`LibvirtError`),
 * libvirt did not say anything in time (`LibvirtTimeoutError`: the call may still take effect), the
 * connection is gone (`LibvirtConnectionError`: likewise), or what came was not the protocol
 * (`LibvirtProtocolError`).
 */
import { errorDomainNames, errorNames } from './generated/error-names.ts'
import type { LibvirtErrorDomain, LibvirtErrorName } from './generated/error-names.ts'

/** The fields of libvirt's error, as they come over the wire. */
export interface LibvirtErrorDetail {
  code: number
  domain: number
  message: string | null
  level: number
  str1: string | null
  str2: string | null
  str3: string | null
  int1: number
  int2: number
}

/** An error that libvirt answered. `codeName` and `domainName` are its numbers in words: 42 is 'noDomain'. */
export class LibvirtError extends Error {
  override readonly name = 'LibvirtError'
  readonly code: number
  readonly codeName: LibvirtErrorName | 'unknown'
  readonly domain: number
  readonly domainName: LibvirtErrorDomain | 'unknown'
  readonly level: number
  /** Extra texts and numbers, whose meaning depends on the code. */
  readonly details: {
    str1: string | null
    str2: string | null
    str3: string | null
    int1: number
    int2: number
  }
  /** The procedure that was called. */
  readonly procedure: string

  constructor(procedure: string, detail: LibvirtErrorDetail) {
    super(detail.message ?? `libvirt error ${detail.code}`)
    this.procedure = procedure
    this.code = detail.code
    this.codeName = errorNames[detail.code] ?? 'unknown'
    this.domain = detail.domain
    this.domainName = errorDomainNames[detail.domain] ?? 'unknown'
    this.level = detail.level
    const { str1, str2, str3, int1, int2 } = detail
    this.details = { str1, str2, str3, int1, int2 }
  }
}

/** No answer in time. Whether the call took effect is unknown; look before calling again. */
export class LibvirtTimeoutError extends Error {
  override readonly name = 'LibvirtTimeoutError'
  readonly procedure: string
  readonly timeoutMs: number

  constructor(procedure: string, timeoutMs: number) {
    super(`libvirt did not answer ${procedure} within ${timeoutMs} ms`)
    this.procedure = procedure
    this.timeoutMs = timeoutMs
  }
}

/** The connection could not be made, or is gone; `cause` says why where that is known. */
export class LibvirtConnectionError extends Error {
  override readonly name = 'LibvirtConnectionError'
}

/** More calls are pending than the connection was opened for: nothing was sent. */
export class LibvirtBusyError extends Error {
  override readonly name = 'LibvirtBusyError'
  readonly maxPendingCalls: number

  constructor(maxPendingCalls: number) {
    super(`${maxPendingCalls} calls are pending on this connection already`)
    this.maxPendingCalls = maxPendingCalls
  }
}

/** The other side does not speak the protocol (or we do not): the connection is closed. */
export class LibvirtProtocolError extends Error {
  override readonly name = 'LibvirtProtocolError'
}
