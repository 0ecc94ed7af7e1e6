export type * as S3 from '../models/s3-types.ts'
export { s3ActionNames } from './actions.ts'
export type { S3ActionTable, S3Input, S3Output, S3TypedAction } from './actions.ts'
export { bucketOfHost, eucalyptusPathPrefixes, isWebsiteHost, parseS3Address } from './address.ts'
export type { AddressOptions, S3Address } from './address.ts'
export { S3Decoder } from './decode.ts'
export type { S3DecodeRequest } from './decode.ts'
export { encodeS3Error, S3Encoder } from './encode.ts'
export type { S3Response } from './encode.ts'
export {
  noSuchBucket,
  noSuchBucketPolicy,
  noSuchKey,
  noSuchUpload,
  s3Error,
  s3ErrorTable,
  s3NotImplemented,
} from './errors.ts'
export type { S3ErrorCode } from './errors.ts'
export { neededPermissions, s3Permissions } from './permissions.ts'
export type {
  AdditionalPermission,
  NeededPermission,
  PermissionAction,
  PermissionOn,
  S3Operation,
  S3Permission,
} from './permissions.ts'
export { s3ConditionKeys, s3PolicyActions } from './policy-actions.ts'
export type { ActionOn, S3PolicyAction } from './policy-actions.ts'
export { S3Router } from './router.ts'
export type { S3RouteRequest } from './router.ts'
export { s3Model, s3OpenEnums } from './s3-model.ts'
export { maxXmlBodyBytes, parseXmlBody } from './xml-body.ts'
export type { XmlElement } from './xml-body.ts'
