/**
 * The policies that AWS keeps for everybody and that say something here, as data of ours: what each allows follows its name
 * and AWS's description (https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html), for the services
 * that this cloud has.
 */
export interface AwsManagedPolicy {
  readonly id: string
  readonly name: string
  readonly path: string
  readonly description: string
  readonly document: string
}

interface StatementText {
  readonly Effect?: 'Allow' | 'Deny'
  readonly Action?: readonly string[]
  readonly NotAction?: readonly string[]
  readonly Resource?: readonly string[]
}

/** Since when they are as they are here. */
export const awsPoliciesMadeMs = Date.parse('2026-11-01T00:00:00Z')

/** What reads and changes nothing, service by service; S3's object reads are among them. */
const readEc2 = ['ec2:Describe*', 'ec2:Get*', 'ec2:List*', 'ec2:Search*']
const readS3 = ['s3:Get*', 's3:List*', 's3:Describe*']
const readIam = [
  'iam:GenerateCredentialReport',
  'iam:GenerateServiceLastAccessedDetails',
  'iam:Get*',
  'iam:List*',
  'iam:SimulateCustomPolicy',
  'iam:SimulatePrincipalPolicy',
]
const readRest = [
  'cloudtrail:Describe*',
  'cloudtrail:Get*',
  'cloudtrail:List*',
  'cloudtrail:LookupEvents',
  'ebs:Get*',
  'ebs:List*',
  'servicequotas:Get*',
  'servicequotas:List*',
  'sts:GetAccessKeyInfo',
  'sts:GetCallerIdentity',
]

/** All but passwords, keys, images' bits and objects themselves: how things are set up, for an auditor. */
const auditS3 = [
  's3:GetAccelerateConfiguration',
  's3:GetBucket*',
  's3:GetEncryptionConfiguration',
  's3:GetLifecycleConfiguration',
  's3:GetObjectAcl',
  's3:GetObjectVersionAcl',
  's3:GetReplicationConfiguration',
  's3:List*',
]

/** What of EC2 is the network: by the nouns of its actions. */
const networkNouns =
  `*Address *Addresses *AddressAttribute *CarrierGateway *DhcpOptions *FlowLogs *InternetGateway
  *ManagedPrefixList *ManagedPrefixListEntries *NatGateway *NetworkAcl *NetworkAclEntry *NetworkAclAssociation
  *NetworkInterface *NetworkInterfaceAttribute *NetworkInterfacePermission *PrivateIpAddresses *Route *RouteTable
  *RouteTableAssociation *SecurityGroup *SecurityGroupEgress *SecurityGroupIngress *SecurityGroupRules
  *SecurityGroupRuleDescriptionsEgress *SecurityGroupRuleDescriptionsIngress *Subnet *SubnetAttribute
  *SubnetCidrBlock *Vpc *VpcAttribute *VpcCidrBlock *VpcPeeringConnection *VpcPeeringConnectionOptions`
    .split(/\s+/)
    .map((noun) => `ec2:${noun}`)

const policies: readonly (readonly [string, string, ...StatementText[]])[] = [
  [
    'AdministratorAccess',
    'Provides full access to the services and resources of the account.',
    { Action: ['*'] },
  ],
  [
    'PowerUserAccess',
    'Provides full access to services and resources, but no management of users and groups.',
    { NotAction: ['iam:*', 'organizations:*', 'account:*'] },
    {
      Action: [
        'iam:CreateServiceLinkedRole',
        'iam:DeleteServiceLinkedRole',
        'iam:ListRoles',
        'organizations:DescribeOrganization',
        'account:ListRegions',
      ],
    },
  ],
  [
    'ReadOnlyAccess',
    'Provides read-only access to all services.',
    { Action: [...readEc2, ...readS3, ...readIam, ...readRest] },
  ],
  [
    'SecurityAudit',
    'Grants what a security auditor needs: reads how things are set up, and not what is in them.',
    {
      Action: [
        'ec2:Describe*',
        'ec2:GetEbs*',
        'ec2:GetManagedPrefixList*',
        ...auditS3,
        ...readIam,
        ...readRest.filter((action) => !action.startsWith('ebs:')),
      ],
    },
  ],
  ['AmazonEC2FullAccess', 'Provides full access to EC2.', { Action: ['ec2:*'] }],
  ['AmazonEC2ReadOnlyAccess', 'Provides read-only access to EC2.', { Action: ['ec2:Describe*', 'ec2:Get*'] }],
  ['AmazonS3FullAccess', 'Provides full access to all buckets.', { Action: ['s3:*'] }],
  ['AmazonS3ReadOnlyAccess', 'Provides read-only access to all buckets.', { Action: readS3 }],
  [
    'AmazonVPCFullAccess',
    'Provides full access to VPCs and what is in them.',
    {
      Action: [
        'ec2:CreateTags',
        'ec2:DeleteTags',
        'ec2:Describe*',
        'ec2:GetManagedPrefixList*',
        'ec2:CreateDefault*',
        ...networkNouns,
      ],
    },
  ],
  [
    'AmazonVPCReadOnlyAccess',
    'Provides read-only access to VPCs.',
    { Action: ['ec2:Describe*', 'ec2:GetManagedPrefixList*'] },
  ],
  ['IAMFullAccess', 'Provides full access to IAM.', { Action: ['iam:*'] }],
  ['IAMReadOnlyAccess', 'Provides read-only access to IAM.', { Action: readIam }],
  [
    'IAMUserChangePassword',
    'Lets a user change its own password.',
    {
      Action: ['iam:ChangePassword'],
      Resource: ['arn:aws:iam::*:user/${aws:username}', 'arn:aws:iam::*:user/*/${aws:username}'],
    },
    { Action: ['iam:GetAccountPasswordPolicy'] },
  ],
]

function made(
  [name, description, ...statements]: (typeof policies)[number],
  index: number,
): [string, AwsManagedPolicy] {
  const document = JSON.stringify({
    Version: '2012-10-17',
    Statement: statements.map((statement) => ({ Effect: 'Allow', Resource: ['*'], ...statement })),
  })
  const id = `ANPAMALLEE${String(index).padStart(11, 'A')}`
  return [`arn:aws:iam::aws:policy/${name}`, { id, name, path: '/', description, document }]
}

/** By ARN. */
export const awsManagedPolicies: ReadonlyMap<string, AwsManagedPolicy> = new Map(policies.map(made))
