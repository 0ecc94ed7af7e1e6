export type * as Ebs from '../models/ebs-types.ts'
export type { Operations as EbsOperations } from '../models/ebs-types.ts'
export {
  ebsAccessDenied,
  ebsConflict,
  ebsError,
  ebsInternalError,
  ebsNotFound,
  ebsQuotaExceeded,
  ebsThrottled,
  ebsTooManyPending,
  ebsUnknownOperation,
  ebsValidation,
  type EbsValidationReason,
} from './errors.ts'
export { ebsModel, EbsDecoder, EbsEncoder, EbsRouter } from './model.ts'
