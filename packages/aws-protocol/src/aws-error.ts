/**
 * An answer that is an error by AWS's rules: a code that programs test, a message for people and an HTTP status.
 * Thrown by decoders, signature checks and actions; the door writes it in the protocol's envelope. Anything
 * thrown that is not an AwsError is a fault of ours and must become InternalError there.
 */
export class AwsError extends Error {
  override readonly name = 'AwsError'
  /** `InvalidInstanceID.NotFound` and the like, as on the wire */
  readonly code: string
  /** HTTP status: below 500 the sender is at fault */
  readonly status: number
  /** further elements of an S3 error body, or headers of its answer; never secrets */
  readonly details: Readonly<Record<string, string>>

  constructor(
    code: string,
    message: string,
    status = 400,
    options: { cause?: unknown; details?: Readonly<Record<string, string>> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = status
    this.details = options.details ?? {}
  }
}
