/** Signs query requests with Signature Version 2, as clients of the Eucalyptus era do; for our own tests and tools. */
import { uriEncode } from './sigv4-canonical.ts'
import type { Credentials } from './sigv4-sign.ts'
import { sigV2Digest, sigV2Text, type SigV2Method } from './sigv2-canonical.ts'

/**
 * The parameters with those of the signature added, encoded as a query string or form body. `now` becomes `Timestamp`
 * unless `expires` is given.
 */
export function signSigV2(
  request: {
    readonly method: 'GET' | 'POST'
    readonly host: string
    readonly rawPath: string
    readonly parameters: Readonly<Record<string, string>>
  },
  options: {
    readonly credentials: Credentials
    readonly now: Date
    readonly expires?: Date
    readonly signatureMethod?: SigV2Method
  },
): string {
  const { credentials, signatureMethod = 'HmacSHA256' } = options
  const when = options.expires ?? options.now
  const parameters = Object.entries({
    ...request.parameters,
    AWSAccessKeyId: credentials.accessKeyId,
    SignatureVersion: '2',
    SignatureMethod: signatureMethod,
    [options.expires ? 'Expires' : 'Timestamp']: `${when.toISOString().slice(0, 19)}Z`,
    ...(credentials.sessionToken === undefined ? {} : { SecurityToken: credentials.sessionToken }),
  })
  const text = sigV2Text({ ...request, parameters })
  const signature = sigV2Digest(credentials.secretAccessKey, signatureMethod, text).toString('base64')
  return [...parameters, ['Signature', signature] as const]
    .map(([name, value]) => `${uriEncode(name)}=${uriEncode(value)}`)
    .join('&')
}
