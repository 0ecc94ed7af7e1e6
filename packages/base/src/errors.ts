/**
 * An error that says from the place that knows: a stable code, a sentence that a user may read, the private cause,
 * and whether trying again can help. Doors turn it into their protocol's form in one place; nothing else does.
 */
export class MalleeError extends Error {
  override readonly name: string = 'MalleeError'
  readonly code: string
  readonly publicMessage: string
  readonly retryable: boolean

  constructor(options: { code: string; publicMessage: string; cause?: unknown; retryable?: boolean }) {
    super(`${options.code}: ${options.publicMessage}`, { cause: options.cause })
    this.code = options.code
    this.publicMessage = options.publicMessage
    this.retryable = options.retryable ?? false
  }
}

/** The sentence of any thrown value, for logs and for `stateReason`; never throws itself. */
export function errorMessage(error: unknown): string {
  if (error instanceof MalleeError) return error.publicMessage
  if (error instanceof Error) return error.message
  return String(error)
}
