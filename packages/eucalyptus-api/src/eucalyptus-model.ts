/**
 * The actions that Eucalyptus' admin tools call and AWS never had, in the form of AWS's models (written by hand, from
 * what those clients send and read). The namespace is the one that libcloud looks into; euca2ools looks at none.
 */
import {
  QueryDecoder,
  QueryEncoder,
  type MemberModel,
  type ServiceModel,
  type StructShape,
} from '@mallee/aws-protocol'

const struct = (members: Readonly<Record<string, MemberModel>>): StructShape => ({ kind: 'struct', members })
const list = (of: string) => ({ kind: 'list', of, item: 'item' }) as const
const text: MemberModel = ['string']
const yes: MemberModel = ['boolean']
const count: MemberModel = ['integer']
const neededText: MemberModel = ['string', 0, { required: 1 }]

const services = {
  Filter: struct({ Name: neededText, Values: ['StringList', 'Value'] }),
  StringList: list('string'),
  FilterList: list('Filter'),
  DescribeServicesRequest: struct({
    ListAll: yes,
    ListInternal: yes,
    ListUserServices: yes,
    ShowEvents: yes,
    ShowEventStacks: yes,
    ByServiceType: text,
    ByPartition: text,
    ByHost: text,
    ByState: text,
    ServiceNames: ['StringList', 'ServiceName'],
    Filters: ['FilterList', 'Filter'],
  }),
  DescribeServicesResponse: struct({ ServiceStatuses: ['ServiceStatusList', 'serviceStatuses'] }),
  ServiceStatusList: list('ServiceStatus'),
  ServiceStatus: struct({
    ServiceId: ['ServiceId', 'serviceId'],
    LocalEpoch: ['integer', 'localEpoch'],
    LocalState: ['string', 'localState'],
    Details: ['ServiceDetails', 'details'],
    StatusDetails: ['StatusDetailList', 'statusDetails'],
  }),
  ServiceId: struct({
    Partition: ['string', 'partition'],
    Name: ['string', 'name'],
    FullName: ['string', 'fullName'],
    Type: ['string', 'type'],
    Host: ['string', 'host'],
    Uri: ['string', 'uri'],
    Uris: ['StringList', 'uris'],
  }),
  ServiceDetails: struct({ Reason: ['string', 'reason'] }),
  StatusDetailList: list('StatusDetail'),
  StatusDetail: struct({
    Uuid: ['string', 'uuid'],
    Severity: ['string', 'severity'],
    ServiceName: ['string', 'serviceName'],
    ServiceHost: ['string', 'serviceHost'],
    ServiceFullName: ['string', 'serviceFullName'],
    Timestamp: ['httpDate', 'timestamp'],
    Message: ['string', 'message'],
  }),
  RegisterServiceRequest: struct({ Name: text, Type: text, Host: text, Partition: text, Port: count }),
  DeregisterServiceRequest: struct({ Name: text, Type: text }),
  ModifyServiceRequest: struct({ Name: neededText, State: neededText }),
  DescribeAvailableServiceTypesRequest: struct({ Verbose: yes }),
  DescribeAvailableServiceTypesResponse: struct({ Available: ['ServiceTypeList', 'available'] }),
  ServiceTypeList: list('ServiceType'),
  ServiceType: struct({
    ComponentName: ['string', 'componentName'],
    ComponentCapitalizedName: ['string', 'componentCapitalizedName'],
    Description: ['string', 'description'],
    HasCredentials: ['boolean', 'hasCredentials'],
    Registerable: ['boolean', 'registerable'],
    RequiresName: ['boolean', 'requiresName'],
    Partitioned: ['boolean', 'partitioned'],
    PublicApiService: ['boolean', 'publicApiService'],
    ServiceGroups: ['EntryList', 'serviceGroups'],
    ServiceGroupMembers: ['EntryList', 'serviceGroupMembers'],
  }),
  EntryList: list('Entry'),
  Entry: struct({ Entry: ['string', 'entry'] }),
  DescribeServiceCertificatesRequest: struct({
    Format: text,
    FingerprintDigest: text,
    Filters: ['FilterList', 'Filter'],
  }),
  DescribeServiceCertificatesResponse: struct({
    ServiceCertificates: ['ServiceCertificateList', 'serviceCertificates'],
  }),
  ServiceCertificateList: list('ServiceCertificate'),
  ServiceCertificate: struct({
    ServiceType: ['string', 'serviceType'],
    CertificateUsage: ['string', 'certificateUsage'],
    CertificateFormat: ['string', 'certificateFormat'],
    Certificate: ['string', 'certificate'],
    CertificateFingerprint: ['string', 'certificateFingerprint'],
    CertificateFingerprintDigest: ['string', 'certificateFingerprintDigest'],
  }),
} as const

const properties = {
  DescribePropertiesRequest: struct({ Properties: ['StringList', 'Property'] }),
  DescribePropertiesResponse: struct({ Properties: ['PropertyList', 'properties'] }),
  PropertyList: list('Property'),
  Property: struct({
    Name: ['string', 'name'],
    Value: ['string', 'value'],
    Description: ['string', 'description'],
    DefaultValue: ['string', 'defaultValue'],
    ReadOnly: ['boolean', 'readOnly'],
  }),
  ModifyPropertyValueRequest: struct({ Name: neededText, Value: text, Reset: yes }),
  ModifyPropertyValueResponse: struct({
    Name: ['string', 'name'],
    Value: ['string', 'value'],
    OldValue: ['string', 'oldValue'],
  }),
} as const

const operation = (name: string) => ({ [name]: { in: `${name}Request`, out: `${name}Response` } })
const order = (name: string) => ({ [name]: { in: `${name}Request` } })

export const eucalyptusModel: ServiceModel = {
  service: 'eucalyptus',
  protocol: 'ec2Query',
  apiVersion: 'eucalyptus',
  xmlNamespace: 'http://msgs.eucalyptus.com/3.3.0',
  source: 'by hand, from what euca2ools, libcloud and the admin tools send and read',
  operations: {
    ...operation('DescribeServices'),
    ...order('RegisterService'),
    ...order('DeregisterService'),
    ...order('ModifyService'),
    ...operation('DescribeAvailableServiceTypes'),
    ...operation('DescribeServiceCertificates'),
    ...operation('DescribeProperties'),
    ...operation('ModifyPropertyValue'),
  },
  shapes: { ...services, ...properties },
}

export const createEucalyptusDecoder = (): QueryDecoder => new QueryDecoder(eucalyptusModel)
export const createEucalyptusEncoder = (): QueryEncoder => new QueryEncoder(eucalyptusModel)
