/** Where in the making of libvirt's XML something went wrong. */
export type TransformStage =
  /** The input could not be read. */
  | 'input'
  /** The admin's stylesheet. */
  | 'stylesheet'
  /** One of transforms.d. */
  | 'transform'
  /** What came out is not what was wanted. */
  | 'result'

/** A domain, interface or disk could not be made; the message is fit for a state reason. */
export class DomainXmlError extends Error {
  override readonly name = 'DomainXmlError'
  readonly stage: TransformStage
  /** The file at fault: stylesheet, transform or input. */
  readonly file: string
  /** What the program said, cut to its first 4,000 characters. */
  readonly stderr: string

  constructor(stage: TransformStage, file: string, message: string, stderr = '', options?: ErrorOptions) {
    const said = stderr.trim().slice(0, 4_000)
    super(`${file}: ${message}${said === '' ? '' : `: ${said}`}`, options)
    this.stage = stage
    this.file = file
    this.stderr = said
  }
}
