import { MalleeError } from '@mallee/base'

/** What a bundle is refused with: the sentence is for its owner, and names what is wrong where it can. */
export class BundleRefused extends MalleeError {
  override readonly name = 'BundleRefused'

  constructor(publicMessage: string, cause?: unknown) {
    super({ code: 'BundleRefused', publicMessage, ...(cause === undefined ? {} : { cause }) })
  }
}
