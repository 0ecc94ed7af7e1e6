import { MalleeError } from '@mallee/base'

/** Something that cannot succeed under this item however often it is tried: the launch fails with this sentence. */
export function fatal(code: string, publicMessage: string, cause?: unknown): MalleeError {
  return new MalleeError({ code, publicMessage, cause, retryable: false })
}

/** Something that may pass: libvirtd or walrus is away. */
export function passing(code: string, publicMessage: string, cause?: unknown): MalleeError {
  return new MalleeError({ code, publicMessage, cause, retryable: true })
}

/**
 * The hypervisor's own word that the domain does not run and never ran, for a reason that may pass: the one error after
 * which it may be started again under the same item.
 */
export function neverRan(publicMessage: string, cause?: unknown): MalleeError {
  return passing(neverRanCode, publicMessage, cause)
}

export function hasNeverRun(error: unknown): boolean {
  return error instanceof MalleeError && error.code === neverRanCode
}

const neverRanCode = 'NeverRan'

export function isPassing(error: unknown): boolean {
  return error instanceof MalleeError && error.retryable
}

/** Whoever writes on a full disk says so in a sentence for the tenant, without a path of the host. */
export function namingFullDisk(error: unknown): unknown {
  const full = ['ENOSPC', 'EDQUOT'].includes((error as { code?: string }).code ?? '')
  return full ? fatal('DiskFull', 'The node has no disk space left for the instance.', error) : error
}
