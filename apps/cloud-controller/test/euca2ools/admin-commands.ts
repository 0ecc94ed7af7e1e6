import { command, type Step } from './command.ts'

const serviceLists = ['serviceAccounts', 'serviceStatuses', 'statusDetails', 'uris']
const serviceWalks = [
  ...['type', 'partition', 'name', 'fullName', 'host?', 'uri?'].map((name) => `serviceId.${name}`),
  'localState',
  'localEpoch',
  'serviceAccounts?[].accountName',
].map((path) => `serviceStatuses[].${path}`)
const services = (parameters: Record<string, string | boolean>, changes: Partial<Step> = {}): Step => ({
  action: 'DescribeServices',
  service: 'bootstrap',
  send: () => parameters,
  lists: serviceLists,
  walks: serviceWalks,
  whenEmpty: true,
  ...changes,
})
const byFilter = (name: string, value: string) =>
  services({ 'Filter.1.Name': name, 'Filter.1.Value.1': value })

const modify = (State: string): Step => ({
  action: 'ModifyService',
  service: 'bootstrap',
  send: () => ({ Name: 'node-1', State }),
})
const properties = (parameters: Record<string, string>): Step => ({
  action: 'DescribeProperties',
  service: 'properties',
  send: () => parameters,
  lists: ['properties'],
  walks: ['name', 'value?', 'defaultValue?', 'description'].map((name) => `properties[].${name}`),
  whenEmpty: true,
})
const setting = 'cloud.vmstate.terminated_visible_ms'
const change = (parameters: Record<string, string | boolean>): Step => ({
  action: 'ModifyPropertyValue',
  service: 'properties',
  send: () => ({ Name: setting, ...parameters }),
  walks: ['oldValue', 'value'],
})
const migrate = (parameters: Record<string, string | boolean>): Step => ({
  action: 'MigrateInstances',
  version: '2014-10-01',
  send: () => parameters,
  refused: ['UnsupportedOperation', 'MigrateInstances'],
})

/** The admin tools', which stand on the same library. */
export const adminCommands = [
  command(
    'euserv-describe-services',
    services({}),
    services({ ListAll: true }),
    services({ 'ServiceName.1': 'node-1' }, { whenEmpty: false }),
    byFilter('partition', 'us-east-1a'),
    byFilter('host', '127.0.0.1'),
    byFilter('internal', 'true'),
    byFilter('public', 'true'),
    byFilter('service-type', 'node'),
    byFilter('state', 'enabled'),
    byFilter('service-group-member', 'false'),
    services(
      { 'Filter.1.Name': 'service-group', 'Filter.1.Value.1': 'user-api' },
      { walks: ['serviceStatuses[]?'] },
    ),
  ),
  command('euserv-describe-service-types', {
    action: 'DescribeAvailableServiceTypes',
    service: 'bootstrap',
    lists: ['available', 'serviceGroups', 'serviceGroupMembers'],
    walks: ['registerable', 'componentName', 'description', 'serviceGroups[].entry'].map(
      (path) => `available[].${path}`,
    ),
    whenEmpty: true,
  }),
  command(
    'euserv-describe-events',
    services(
      { ListAll: true, ShowEvents: true },
      {
        walks: [
          'serviceStatuses[].serviceId.type',
          ...[
            'timestamp',
            'uuid',
            'severity',
            'serviceName',
            'serviceHost?',
            'serviceFullName',
            'message',
            'stackTrace?',
          ].map((name) => `serviceStatuses[].statusDetails[]?.${name}`),
        ],
      },
    ),
    services({ ListAll: true, ShowEvents: true, ShowEventStacks: true }),
  ),
  command('euserv-describe-node-controllers', services({ ListAll: true }), {
    action: 'DescribeInstances',
    version: '2014-10-01',
    send: () => ({ 'InstanceId.1': 'verbose' }),
    lists: ['reservationSet', 'instancesSet', 'groupSet', 'tagSet'],
    walks: ['instanceId', 'tagSet[].key', 'tagSet[].value'].map(
      (path) => `reservationSet[].instancesSet[].${path}`,
    ),
    shows: () => ({
      'reservationSet[].instancesSet[].tagSet[].key': 'euca:node',
      'reservationSet[].instancesSet[].tagSet[].value': 'node-1',
    }),
    whenEmpty: true,
  }),
  command('euserv-register-service', {
    action: 'RegisterService',
    service: 'bootstrap',
    send: () => ({ Name: 'cc-1', Type: 'cluster', Host: '10.0.0.1', Port: 8774, Partition: 'us-east-1a' }),
    refused: ['UnsupportedOperation', 'RegisterService'],
  }),
  command('euserv-deregister-service', {
    action: 'DeregisterService',
    service: 'bootstrap',
    send: () => ({ Name: 'node-1' }),
    refused: ['UnsupportedOperation', 'DeregisterService'],
  }),
  command('euserv-modify-service', modify('stop'), modify('start')),
  command(
    'euserv-migrate-instances',
    migrate({ InstanceId: 'i-01234567', AllowHosts: true, 'DestinationHost.1': 'node-2' }),
    migrate({ SourceHost: 'node-1', AllowHosts: false, 'DestinationHost.1': 'node-2' }),
  ),
  command(
    'euctl',
    properties({}),
    properties({ 'Property.1': 'cloud' }),
    properties({ 'Property.1': setting }),
    change({ Value: '60000' }),
    change({ Reset: true }),
  ),
  command('euca-bundle-image, for the certificate', {
    action: 'DescribeServiceCertificates',
    service: 'bootstrap',
    send: () => ({
      Format: 'pem',
      FingerprintDigest: 'SHA-256',
      'Filter.1.Name': 'certificate-usage',
      'Filter.1.Value.1': 'image-bundling',
    }),
    lists: ['serviceCertificates'],
    walks: ['serviceCertificates[].certificate', 'serviceCertificates[].certificateFingerprint'],
    whenEmpty: true,
  }),
]
