/**
 * How each family of services says that a signature is not accepted. The reasons are ours; codes, statuses and
 * words are AWS's, and differ between EC2, the query services and S3.
 */
import { AwsError } from './aws-error.ts'

export type SignatureDialect = 'ec2' | 'query' | 's3' | 'restJson'

export type SignatureFault =
  /** the request carries no signature at all */
  | 'missing'
  /** signed in another way than by Signature Version 4 */
  | 'unsupported'
  /** the Authorization header cannot be read */
  | 'malformedHeader'
  /** the X-Amz-… query parameters cannot be read */
  | 'malformedQuery'
  /** signatures in the header and in the query */
  | 'ambiguous'
  | 'unknownKey'
  /** the session token is none of ours, or goes with another key */
  | 'invalidToken'
  /** the session has ended */
  | 'expiredToken'
  | 'mismatch'
  /** signed too long ago, or for a time too far ahead, by the clock of the signer */
  | 'skewed'
  /** a presigned request after its expiry */
  | 'expired'
  /** the body is not what was signed */
  | 'payloadMismatch'
  /** x-amz-content-sha256 is absent where it must be there */
  | 'payloadHashMissing'
  /** x-amz-content-sha256 has a value that nobody defines */
  | 'payloadHashUnknown'
  /** headers that must be signed are not */
  | 'unsignedHeaders'

type Row = readonly [code: string, status: number, message: string]

const mismatchText =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.'
const s3MismatchText =
  'The request signature we calculated does not match the signature you provided. Check your key and signing method.'
const unknownHash =
  'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, or a valid sha256 value.'

const unsupportedText =
  'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.'

const query: Record<SignatureFault, Row> = {
  unsupported: ['IncompleteSignature', 400, unsupportedText],
  missing: ['MissingAuthenticationToken', 403, 'Request is missing Authentication Token'],
  malformedHeader: ['IncompleteSignature', 400, 'The request signature does not conform to AWS standards.'],
  malformedQuery: ['IncompleteSignature', 400, 'The request signature does not conform to AWS standards.'],
  ambiguous: ['IncompleteSignature', 400, 'The request is signed in its header and in its query string.'],
  unknownKey: ['InvalidClientTokenId', 403, 'The security token included in the request is invalid.'],
  invalidToken: ['InvalidClientTokenId', 403, 'The security token included in the request is invalid.'],
  expiredToken: ['ExpiredToken', 403, 'The security token included in the request is expired'],
  mismatch: ['SignatureDoesNotMatch', 403, mismatchText],
  skewed: ['SignatureDoesNotMatch', 403, 'Signature expired.'],
  expired: ['SignatureDoesNotMatch', 403, 'Signature expired.'],
  payloadMismatch: ['SignatureDoesNotMatch', 403, mismatchText],
  payloadHashMissing: ['IncompleteSignature', 400, 'The hash of the payload is missing.'],
  payloadHashUnknown: ['IncompleteSignature', 400, unknownHash],
  unsignedHeaders: ['IncompleteSignature', 400, 'A header that must be signed is not signed.'],
}

const ec2: Record<SignatureFault, Row> = {
  ...query,
  unknownKey: ['AuthFailure', 401, 'AWS was not able to validate the provided access credentials'],
  invalidToken: ['AuthFailure', 401, 'AWS was not able to validate the provided access credentials'],
  expiredToken: ['RequestExpired', 400, 'Request has expired.'],
  skewed: ['RequestExpired', 400, 'Request has expired.'],
  expired: ['RequestExpired', 400, 'Request has expired.'],
}

const s3: Record<SignatureFault, Row> = {
  unsupported: ['InvalidRequest', 400, unsupportedText],
  missing: ['AccessDenied', 403, 'Access Denied'],
  malformedHeader: [
    'AuthorizationHeaderMalformed',
    400,
    'The authorization header that you provided is not valid.',
  ],
  malformedQuery: [
    'AuthorizationQueryParametersError',
    400,
    'The query-string authorization that you provided is not valid.',
  ],
  ambiguous: [
    'InvalidArgument',
    400,
    'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified',
  ],
  unknownKey: [
    'InvalidAccessKeyId',
    403,
    'The AWS Access Key Id you provided does not exist in our records.',
  ],
  invalidToken: ['InvalidToken', 400, 'The provided token is malformed or otherwise invalid.'],
  expiredToken: ['ExpiredToken', 400, 'The provided token has expired.'],
  mismatch: ['SignatureDoesNotMatch', 403, s3MismatchText],
  skewed: [
    'RequestTimeTooSkewed',
    403,
    'The difference between the request time and the current time is too large.',
  ],
  expired: ['AccessDenied', 403, 'Request has expired'],
  payloadMismatch: [
    'XAmzContentSHA256Mismatch',
    400,
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
  ],
  payloadHashMissing: [
    'InvalidRequest',
    400,
    'Missing required header for this request: x-amz-content-sha256',
  ],
  payloadHashUnknown: ['InvalidArgument', 400, unknownHash],
  unsignedHeaders: ['AccessDenied', 403, 'There were headers present in the request which were not signed'],
}

const restJson: Record<SignatureFault, Row> = {
  ...query,
  missing: ['MissingAuthenticationTokenException', 403, 'Missing Authentication Token'],
  unsupported: ['IncompleteSignatureException', 403, unsupportedText],
  malformedHeader: [
    'IncompleteSignatureException',
    403,
    'The request signature does not conform to AWS standards.',
  ],
  malformedQuery: [
    'IncompleteSignatureException',
    403,
    'The request signature does not conform to AWS standards.',
  ],
  ambiguous: [
    'IncompleteSignatureException',
    403,
    'The request is signed in its header and in its query string.',
  ],
  unknownKey: ['UnrecognizedClientException', 403, 'The security token included in the request is invalid.'],
  invalidToken: [
    'UnrecognizedClientException',
    403,
    'The security token included in the request is invalid.',
  ],
  expiredToken: ['ExpiredTokenException', 403, 'The security token included in the request is expired'],
  mismatch: ['InvalidSignatureException', 403, mismatchText],
  skewed: ['InvalidSignatureException', 403, 'Signature expired.'],
  expired: ['InvalidSignatureException', 403, 'Signature expired.'],
  payloadMismatch: ['InvalidSignatureException', 403, mismatchText],
  payloadHashMissing: ['IncompleteSignatureException', 403, 'The hash of the payload is missing.'],
  payloadHashUnknown: ['IncompleteSignatureException', 403, unknownHash],
  unsignedHeaders: ['InvalidSignatureException', 403, 'A header that must be signed is not signed.'],
}

const dialects: Readonly<Record<SignatureDialect, Record<SignatureFault, Row>>> = { ec2, query, s3, restJson }

/** A signature that was not accepted: an AwsError that still tells our own reason, for logs and counters. */
export class SignatureError extends AwsError {
  readonly fault: SignatureFault

  constructor(dialect: SignatureDialect, fault: SignatureFault, detail?: string) {
    const [code, status, message] = dialects[dialect][fault]
    super(code, detail === undefined ? message : `${message} ${detail}`, status)
    this.fault = fault
  }
}
