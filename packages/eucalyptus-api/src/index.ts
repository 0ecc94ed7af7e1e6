export type {
  DescribeServiceCertificatesInput,
  DescribeServicesInput,
  Filter,
  ModifyPropertyValueInput,
  ModifyServiceInput,
  Property,
  ServiceStatus,
  StatusDetail,
} from './action-types.ts'
export { createEucalyptusDecoder, createEucalyptusEncoder, eucalyptusModel } from './eucalyptus-model.ts'
