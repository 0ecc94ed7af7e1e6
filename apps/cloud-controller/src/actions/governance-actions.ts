import type { GovernanceServiceName } from '@mallee/governance-api'
import { lookupEvents } from './cloudtrail/lookup-events.ts'
import {
  createTrail,
  deleteTrail,
  describeTrails,
  getEventSelectors,
  getTrailAction,
  getTrailStatus,
  listTrails,
  startLogging,
  stopLogging,
} from './cloudtrail/trails.ts'
import type { ActionContext } from './define-action.ts'
import {
  getAwsDefaultServiceQuota,
  getServiceQuota,
  listAwsDefaultServiceQuotas,
  listServiceQuotas,
  listServices,
} from './service-quotas/quotas.ts'
import {
  getRequestedServiceQuotaChange,
  listRequestedServiceQuotaChangeHistory,
  requestServiceQuotaIncrease,
} from './service-quotas/requests.ts'

export type AnyGovernanceAction = (
  ctx: ActionContext,
  input: Record<string, unknown>,
) => Promise<Record<string, unknown>>

const tables = {
  cloudtrail: {
    CreateTrail: createTrail,
    DeleteTrail: deleteTrail,
    DescribeTrails: describeTrails,
    GetEventSelectors: getEventSelectors,
    GetTrail: getTrailAction,
    GetTrailStatus: getTrailStatus,
    ListTrails: listTrails,
    LookupEvents: lookupEvents,
    StartLogging: startLogging,
    StopLogging: stopLogging,
  },
  servicequotas: {
    GetAWSDefaultServiceQuota: getAwsDefaultServiceQuota,
    GetRequestedServiceQuotaChange: getRequestedServiceQuotaChange,
    GetServiceQuota: getServiceQuota,
    ListAWSDefaultServiceQuotas: listAwsDefaultServiceQuotas,
    ListRequestedServiceQuotaChangeHistory: listRequestedServiceQuotaChangeHistory,
    ListRequestedServiceQuotaChangeHistoryByQuota: listRequestedServiceQuotaChangeHistory,
    ListServiceQuotas: listServiceQuotas,
    ListServices: listServices,
    RequestServiceQuotaIncrease: requestServiceQuotaIncrease,
  },
}

/** Every action of CloudTrail and Service Quotas that Mallee performs, by service and name. */
export function governanceAction(
  service: GovernanceServiceName,
  name: string,
): AnyGovernanceAction | undefined {
  const table = tables[service] as unknown as Record<string, AnyGovernanceAction>
  return Object.hasOwn(table, name) ? table[name] : undefined
}
