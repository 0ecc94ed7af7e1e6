export {
  announcedTrailers,
  AwsChunkedDecoder,
  decodedContentLength,
  encodeAwsChunked,
} from './aws-chunked.ts'
export type { AwsChunkedOptions } from './aws-chunked.ts'
export { AwsError } from './aws-error.ts'
export { AwsJsonDecoder, encodeAwsJson, encodeAwsJsonError } from './aws-json.ts'
export { ChunkSignatures } from './chunk-signatures.ts'
export { decodeErrors } from './decode-errors.ts'
export type { DecodeErrors } from './decode-errors.ts'
export { decodeFormComponent, formLimits, formTree, parseForm, parseQueryRequest } from './form.ts'
export type { FormNode, QueryRequest } from './form.ts'
export { operationNamed, shapeNamed, structNamed } from './model.ts'
export type {
  ListShape,
  MapShape,
  MemberModel,
  MemberTraits,
  OperationModel,
  Protocol,
  ScalarKind,
  ScalarShape,
  ServiceModel,
  ShapeModel,
  StructShape,
} from './model.ts'
export { createPayloadHashCheck } from './payload-hash.ts'
export { ec2QueryName, QueryDecoder } from './query-decode.ts'
export type { DecodeOptions } from './query-decode.ts'
export { encodeEc2Error, encodeErrorFor, encodeQueryError, QueryEncoder } from './query-encode.ts'
export type { QueryResponse } from './query-encode.ts'
export { encodeRestJsonError, RestJsonDecoder, RestJsonEncoder, RestJsonRouter } from './rest-json.ts'
export type { RestJsonRequest, RestJsonResponse, RestJsonRoute } from './rest-json.ts'
export { decodeScalar } from './scalar-decode.ts'
export {
  formatIsoTimestamp,
  formatTimestamp,
  parseBase64,
  parseBoolean,
  parseInteger,
  parseLong,
  parseReal,
  parseTimestamp,
} from './scalar-text.ts'
export { SignatureError } from './signature-errors.ts'
export type { SignatureDialect, SignatureFault } from './signature-errors.ts'
export { emptySha256, sha256Hex, SigningKeyCache, uriEncode } from './sigv4-canonical.ts'
export type { HeaderValues, SignatureScope } from './sigv4-canonical.ts'
export { claimedSignature, formatAmzDate, parseAmzDate, signatureKind } from './sigv4-credentials.ts'
export type { ClaimedSignature } from './sigv4-credentials.ts'
export { presignRequest, signRequest, signStreamingRequest } from './sigv4-sign.ts'
export type { Credentials, RequestToSign, SignOptions } from './sigv4-sign.ts'
export { allowedSkewMs, verifySignature } from './sigv4-verify.ts'
export type { SignedPayload, SignedRequest, VerifiedSignature, VerifyOptions } from './sigv4-verify.ts'
export { claimsS3SigV2, signS3SigV2, verifyS3SigV2 } from './s3-sigv2.ts'
export type { S3SigV2Request } from './s3-sigv2.ts'
export { signSigV2 } from './sigv2-sign.ts'
export { claimsSigV2, verifySigV2 } from './sigv2-verify.ts'
export type { SigV2Request } from './sigv2-verify.ts'
export { scalarText, XmlEncoder } from './xml-encode.ts'
export { escapeXml, escapeXmlAttribute, escapeXmlKeepingControls } from './xml-text.ts'
