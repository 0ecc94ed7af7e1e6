/**
 * Service Quotas 2019-06-24, the actions that Mallee performs, in the form of the generated models; names and limits are those of
 * https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/Welcome.html
 */
import type { MemberModel, ServiceModel, StructShape } from '@mallee/aws-protocol'

const struct = (members: Readonly<Record<string, MemberModel>>): StructShape => ({ kind: 'struct', members })
const needed = (shape: string): MemberModel => [shape, 0, { required: 1 }]
const paged = { NextToken: ['NextToken'], MaxResults: ['MaxResults'] } as const

export const serviceQuotasModel: ServiceModel = {
  service: 'servicequotas',
  protocol: 'awsJson',
  apiVersion: '2019-06-24',
  xmlNamespace: '',
  source: 'by hand, from the API reference',
  operations: {
    ListServices: { in: 'ListServicesRequest' },
    ListServiceQuotas: { in: 'ListQuotasRequest' },
    ListAWSDefaultServiceQuotas: { in: 'ListQuotasRequest' },
    GetServiceQuota: { in: 'GetQuotaRequest' },
    GetAWSDefaultServiceQuota: { in: 'GetQuotaRequest' },
    RequestServiceQuotaIncrease: { in: 'RequestServiceQuotaIncreaseRequest' },
    GetRequestedServiceQuotaChange: { in: 'GetRequestedServiceQuotaChangeRequest' },
    ListRequestedServiceQuotaChangeHistory: { in: 'ListHistoryRequest' },
    ListRequestedServiceQuotaChangeHistoryByQuota: { in: 'ListHistoryByQuotaRequest' },
  },
  shapes: {
    ServiceCode: { kind: 'string', min: 1, max: 63, pattern: '[a-zA-Z][a-zA-Z0-9-]{1,63}' },
    QuotaCode: { kind: 'string', min: 1, max: 128, pattern: '[a-zA-Z][a-zA-Z0-9-]{1,128}' },
    RequestId: { kind: 'string', min: 1, max: 128, pattern: '[0-9a-zA-Z][a-zA-Z0-9-]{1,128}' },
    RequestStatus: { kind: 'string', enum: ['PENDING', 'CASE_OPENED', 'APPROVED', 'DENIED', 'CASE_CLOSED'] },
    QuotaValue: { kind: 'double', min: 0, max: 10_000_000_000 },
    NextToken: { kind: 'string', max: 2048, pattern: '[a-zA-Z0-9/+]*={0,2}' },
    MaxResults: { kind: 'integer', min: 1, max: 100 },
    ListServicesRequest: struct(paged),
    ListQuotasRequest: struct({ ServiceCode: needed('ServiceCode'), ...paged }),
    GetQuotaRequest: struct({ ServiceCode: needed('ServiceCode'), QuotaCode: needed('QuotaCode') }),
    RequestServiceQuotaIncreaseRequest: struct({
      ServiceCode: needed('ServiceCode'),
      QuotaCode: needed('QuotaCode'),
      DesiredValue: needed('QuotaValue'),
    }),
    GetRequestedServiceQuotaChangeRequest: struct({ RequestId: needed('RequestId') }),
    ListHistoryRequest: struct({ ServiceCode: ['ServiceCode'], Status: ['RequestStatus'], ...paged }),
    ListHistoryByQuotaRequest: struct({
      ServiceCode: needed('ServiceCode'),
      QuotaCode: needed('QuotaCode'),
      Status: ['RequestStatus'],
      ...paged,
    }),
  },
}

/** What AWS has beside them; refused by name. */
export const serviceQuotasActionNames: ReadonlySet<string> = new Set([
  ...Object.keys(serviceQuotasModel.operations),
  ...['AssociateServiceQuotaTemplate', 'DeleteServiceQuotaIncreaseRequestFromTemplate'],
  ...['DisassociateServiceQuotaTemplate', 'GetAssociationForServiceQuotaTemplate'],
  ...['GetServiceQuotaIncreaseRequestFromTemplate', 'ListServiceQuotaIncreaseRequestsInTemplate'],
  ...['ListTagsForResource', 'PutServiceQuotaIncreaseRequestIntoTemplate', 'TagResource', 'UntagResource'],
])
