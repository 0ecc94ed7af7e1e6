import { generateKeyPairSync } from 'node:crypto'
import { walk } from './client-answers.ts'
import { command, type Step } from './command.ts'
import { interfacePaths } from './launch-commands.ts'

const publicKey = () => {
  const { publicKey: key } = generateKeyPairSync('ed25519')
  const raw = key.export({ format: 'der', type: 'spki' }).subarray(-32)
  const part = (data: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, data.length]), data])
  const blob = Buffer.concat([part(Buffer.from('ssh-ed25519')), part(raw)])
  return Buffer.from(`ssh-ed25519 ${blob.toString('base64')} me@here`).toString('base64')
}

const groupLists = [
  'securityGroupInfo',
  'ipPermissions',
  'ipPermissionsEgress',
  'groups',
  'ipRanges',
  'tagSet',
]
const groupWalks = [
  ...['groupId', 'ownerId', 'groupName', 'groupDescription', 'vpcId', 'tagSet[]?.key'],
  'ipPermissions[].ipProtocol',
  'ipPermissions[].fromPort?',
  'ipPermissions[].toPort?',
  'ipPermissions[].ipRanges[].cidrIp',
  'ipPermissions[].groups[].userId',
  'ipPermissions[].groups[].groupId',
  'ipPermissionsEgress[].ipProtocol',
  'ipPermissionsEgress[].ipRanges[].cidrIp',
  'ipPermissionsEgress[].groups[]?',
].map((path) => `securityGroupInfo[].${path}`)
const describedGroups: Step = { action: 'DescribeSecurityGroups', lists: groupLists, walks: groupWalks }
const groupSteps: Step[] = [
  { ...describedGroups, whenEmpty: true },
  {
    ...describedGroups,
    send: () => ({ 'GroupName.1': 'verbose' }),
    shows: () => ({ 'securityGroupInfo[].groupName': 'default' }),
    whenEmpty: true,
  },
  { ...describedGroups, send: (world) => ({ 'GroupName.1': 'servers', 'GroupId.1': world.thing('group') }) },
]

const port = {
  'IpPermissions.1.IpProtocol': 'tcp',
  'IpPermissions.1.FromPort': 22,
  'IpPermissions.1.ToPort': 22,
}
const anywhere = { ...port, 'IpPermissions.1.IpRanges.1.CidrIp': '0.0.0.0/0' }
const pings = {
  'IpPermissions.1.IpProtocol': 'icmp',
  'IpPermissions.1.FromPort': -1,
  'IpPermissions.1.ToPort': -1,
  'IpPermissions.1.IpRanges.1.CidrIp': '10.0.0.0/8',
}
const rule = (action: string, send: Step['send']): Step => ({ action, send: send!, walks: ['return'] })
const byName = { GroupName: 'servers' }
const fromDefault: Step['send'] = (world) => ({
  ...byName,
  ...port,
  'IpPermissions.1.IpRanges.1.CidrIp': '10.1.0.0/16',
  'IpPermissions.1.Groups.1.UserId': world.who.accountId,
  'IpPermissions.1.Groups.1.GroupName': 'default',
})
const egress = (world: { thing(name: string): string }) => ({
  GroupId: world.thing('group'),
  ...port,
  'IpPermissions.1.IpRanges.1.CidrIp': '10.2.0.0/16',
})
// It takes an id of more than eight digits for a name.
const longId: Step['send'] = (world) => ({ GroupName: world.thing('group'), ...pings })

/** Key pairs, groups and tags: what a launch needs. */
export const accountCommands = [
  command('euca-create-keypair', {
    action: 'CreateKeyPair',
    send: () => ({ KeyName: 'key' }),
    walks: ['keyName', 'keyFingerprint', 'keyMaterial'],
  }),
  command('euca-import-keypair', {
    action: 'ImportKeyPair',
    send: () => ({ KeyName: 'brought', PublicKeyMaterial: publicKey() }),
    walks: ['keyName', 'keyFingerprint'],
  }),
  command(
    'euca-describe-keypairs',
    {
      action: 'DescribeKeyPairs',
      lists: ['keySet'],
      walks: ['keySet[].keyName', 'keySet[].keyFingerprint'],
      whenEmpty: true,
    },
    {
      action: 'DescribeKeyPairs',
      send: () => ({ 'KeyName.1': 'verbose' }),
      lists: ['keySet'],
      walks: ['keySet[].keyName', 'keySet[].keyFingerprint'],
      whenEmpty: true,
    },
  ),
  command('euca-create-group', {
    action: 'CreateSecurityGroup',
    send: () => ({ GroupName: 'servers', GroupDescription: 'a group' }),
    walks: ['groupId'],
    keep: (world, answer) => void (world.things['group'] = walk(answer, 'groupId')[0]!),
  }),
  command(
    'euca-authorize',
    rule('AuthorizeSecurityGroupIngress', () => ({ ...byName, ...anywhere })),
    rule('AuthorizeSecurityGroupIngress', longId),
    rule('AuthorizeSecurityGroupIngress', fromDefault),
    rule('AuthorizeSecurityGroupEgress', egress),
  ),
  command('euca-describe-groups', ...groupSteps),
  command('euca-describe-group', ...groupSteps),
  command('euca-create-tags', {
    action: 'CreateTags',
    send: (world) => ({
      'ResourceId.1': world.thing('image'),
      'ResourceId.2': world.thing('group'),
      'Tag.1.Key': 'colour',
      'Tag.1.Value': 'red',
      'Tag.2.Key': 'empty',
      'Tag.2.Value': '',
    }),
    walks: ['return'],
  }),
  command('euca-describe-tags', {
    action: 'DescribeTags',
    lists: ['tagSet'],
    walks: ['resourceId', 'resourceType', 'key', 'value?'].map((path) => `tagSet[].${path}`),
    whenEmpty: true,
  }),
  command('euca-delete-tags', {
    action: 'DeleteTags',
    send: (world) => ({
      'ResourceId.1': world.thing('group'),
      'Tag.1.Key': 'colour',
      'Tag.2.Key': 'empty',
      'Tag.2.Value': '',
    }),
    walks: ['return'],
  }),
  command('euca-describe-account-attributes', {
    action: 'DescribeAccountAttributes',
    lists: ['accountAttributeSet', 'attributeValueSet'],
    walks: [
      'accountAttributeSet[].attributeName',
      'accountAttributeSet[].attributeValueSet[].attributeValue',
    ],
    whenEmpty: true,
  }),
  command(
    'euca-describe-availability-zones',
    {
      action: 'DescribeAvailabilityZones',
      lists: ['availabilityZoneInfo', 'messageSet'],
      walks: [
        'availabilityZoneInfo[].zoneName',
        'availabilityZoneInfo[].zoneState',
        'availabilityZoneInfo[].messageSet[]?',
      ],
      whenEmpty: true,
    },
    {
      action: 'DescribeAvailabilityZones',
      send: () => ({ 'ZoneName.1': 'verbose' }),
      lists: ['availabilityZoneInfo', 'messageSet'],
      walks: [
        'availabilityZoneInfo[].zoneName',
        'availabilityZoneInfo[].zoneState',
        'availabilityZoneInfo[].messageSet[]?',
      ],
      whenEmpty: true,
    },
  ),
  command('euca-describe-regions', {
    action: 'DescribeRegions',
    lists: ['regionInfo'],
    walks: ['regionInfo[].regionName', 'regionInfo[].regionEndpoint'],
    whenEmpty: true,
  }),
  command(
    'euca-describe-instance-types',
    ...[
      { Availability: true, Verbose: true },
      { Availability: true },
      { 'InstanceType.1': 'm1.small', Availability: true, Verbose: true },
    ].map((parameters): Step => ({
      action: 'DescribeInstanceTypes',
      send: () => ({ ...parameters }),
      lists: ['instanceTypeDetails', 'availability'],
      walks: [
        ...['name', 'cpu', 'memory', 'disk'],
        ...['zoneName', 'max', 'available'].map((name) => `availability[].${name}`),
      ].map((path) => `instanceTypeDetails[].${path}`),
      whenEmpty: true,
    })),
  ),
  command(
    'euca-modify-instance-type',
    {
      action: 'ModifyInstanceTypeAttribute',
      send: () => ({ Name: 'm1.large', Cpu: 3, Disk: 12, Memory: 768 }),
      walks: ['name', 'cpu', 'memory', 'disk'].map((name) => `instanceType.${name}`),
      shows: () => ({ 'instanceType.memory': '768' }),
    },
    {
      action: 'ModifyInstanceTypeAttribute',
      send: () => ({ Name: 'm1.large', Reset: true }),
      walks: ['name', 'cpu', 'memory', 'disk'].map((name) => `instanceType.${name}`),
    },
  ),
  command('euca-describe-vpcs', {
    action: 'DescribeVpcs',
    lists: ['vpcSet', 'tagSet'],
    walks: [
      'vpcId',
      'state',
      'cidrBlock',
      'dhcpOptionsId',
      'instanceTenancy',
      'isDefault',
      'tagSet[]?.key',
    ].map((path) => `vpcSet[].${path}`),
    whenEmpty: true,
  }),
  command('euca-describe-subnets', {
    action: 'DescribeSubnets',
    lists: ['subnetSet', 'tagSet'],
    walks: [
      'subnetId',
      'state',
      'vpcId',
      'cidrBlock',
      'availableIpAddressCount',
      'availabilityZone',
      'defaultForAz',
      'mapPublicIpOnLaunch',
      'tagSet[]?.key',
    ].map((path) => `subnetSet[].${path}`),
    keep: (world, answer) => void (world.things['subnet'] = walk(answer, 'subnetSet[].subnetId')[0]!),
    whenEmpty: true,
  }),
]

/** What has something to show only when instances run, and what takes away. */
export const laterCommands = [
  command('euca-describe-network-interfaces', {
    action: 'DescribeNetworkInterfaces',
    lists: ['groupSet', 'networkInterfaceSet', 'privateIpAddressesSet', 'tagSet'],
    walks: interfacePaths.map((path) => `networkInterfaceSet[].${path}`),
    whenEmpty: true,
  }),
  command(
    'euca-describe-addresses',
    {
      action: 'DescribeAddresses',
      lists: ['addressesSet'],
      walks: [
        'publicIp',
        'instanceId',
        'domain',
        'allocationId',
        'associationId',
        'networkInterfaceId',
        'privateIpAddress',
      ].map((name) => `addressesSet[]?.${name}?`),
      whenEmpty: true,
    },
    {
      action: 'DescribeAddresses',
      send: () => ({ 'PublicIp.1': 'verbose' }),
      lists: ['addressesSet'],
      walks: ['addressesSet[]?.publicIp'],
      whenEmpty: true,
    },
  ),
  command(
    'euca-revoke',
    rule('RevokeSecurityGroupIngress', () => ({ ...byName, ...anywhere })),
    rule('RevokeSecurityGroupIngress', longId),
    rule('RevokeSecurityGroupIngress', fromDefault),
    rule('RevokeSecurityGroupEgress', egress),
  ),
  command(
    'euca-delete-group',
    { action: 'CreateSecurityGroup', send: () => ({ GroupName: 'brief', GroupDescription: 'x' }) },
    { action: 'DeleteSecurityGroup', send: () => ({ GroupName: 'brief' }), walks: ['return'] },
  ),
  command('euca-delete-keypair', {
    action: 'DeleteKeyPair',
    send: () => ({ KeyName: 'brought' }),
    walks: ['return'],
  }),
]
