export type * as Iam from '../models/iam-types.ts'
export type * as Sts from '../models/sts-types.ts'
export type { GetCallerIdentityRequest, GetCallerIdentityResponse } from '../models/sts-types.ts'
export { eucalyptusIamActionNames, eucalyptusStsActionNames } from './actions.ts'
export type {
  IamActionTable,
  IamInput,
  IamOutput,
  IamTypedAction,
  StsActionTable,
  StsInput,
  StsOutput,
  StsTypedAction,
} from './actions.ts'
export type {
  CreateSigningCertificateRequest,
  CreateSigningCertificateResponse,
  EucalyptusIamOperations,
} from './eucalyptus-iam.ts'
export type { GetAccessTokenRequest, GetAccessTokenResponse } from './eucalyptus-sts.ts'
export {
  accessDenied,
  deleteConflict,
  duplicateCertificate,
  entityAlreadyExists,
  entityTemporarilyUnmodifiable,
  expiredToken,
  invalidAuthenticationCode,
  invalidCertificate,
  invalidInput,
  invalidQueryAction,
  invalidUserType,
  keyPairMismatch,
  limitExceeded,
  malformedCertificate,
  malformedPolicyDocument,
  noSuchEntity,
  notImplemented,
  passwordPolicyViolation,
  policyNotAttachable,
  reportNotPresent,
  serviceFailure,
  validationError,
} from './errors.ts'
export {
  createIamDecoder,
  createIamEncoder,
  createStsDecoder,
  createStsEncoder,
  iamActionNames,
  iamModel,
  stsActionNames,
  stsModel,
} from './models.ts'
