export { cloudTrailModel, lookupAttributeKeys } from './cloudtrail-model.ts'
export { governanceError, type GovernanceErrorCode } from './errors.ts'
export { serviceQuotasModel } from './service-quotas-model.ts'
export {
  governanceServices,
  serviceOfTarget,
  type GovernanceService,
  type GovernanceServiceName,
} from './services.ts'
