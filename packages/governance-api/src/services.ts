import { AwsJsonDecoder, type ServiceModel } from '@mallee/aws-protocol'
import { cloudTrailActionNames, cloudTrailModel } from './cloudtrail-model.ts'
import { cloudTrailDecodeErrors, serviceQuotasDecodeErrors } from './errors.ts'
import { serviceQuotasActionNames, serviceQuotasModel } from './service-quotas-model.ts'

export type GovernanceServiceName = 'cloudtrail' | 'servicequotas'

/** One service of AWS JSON 1.1. */
export interface GovernanceService {
  readonly model: ServiceModel
  /** Of all that AWS has. */
  readonly actionNames: ReadonlySet<string>
  readonly decoder: AwsJsonDecoder
}

export const governanceServices: Readonly<Record<GovernanceServiceName, GovernanceService>> = {
  cloudtrail: {
    model: cloudTrailModel,
    actionNames: cloudTrailActionNames,
    decoder: new AwsJsonDecoder(cloudTrailModel, { errors: cloudTrailDecodeErrors }),
  },
  servicequotas: {
    model: serviceQuotasModel,
    actionNames: serviceQuotasActionNames,
    decoder: new AwsJsonDecoder(serviceQuotasModel, { errors: serviceQuotasDecodeErrors }),
  },
}

/**
 * The service and the action that `X-Amz-Target` names: CloudTrail's clients send its long Java name or its short one. Undefined
 * for whatever else it holds.
 */
export function serviceOfTarget(
  target: string | undefined,
): { readonly service: GovernanceServiceName; readonly action: string } | undefined {
  const match =
    /^(?:com\.amazonaws\.cloudtrail\.v20131101\.)?(CloudTrail_20131101|ServiceQuotasV20190624)\.(\w{1,128})$/.exec(
      target ?? '',
    )
  if (!match) return undefined
  return { service: match[1] === 'CloudTrail_20131101' ? 'cloudtrail' : 'servicequotas', action: match[2]! }
}
