/**
 * CloudTrail 2013-11-01, the actions that Mallee performs, in the form of the generated models; names and limits are those of
 * https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/Welcome.html
 */
import type { MemberModel, ServiceModel, StructShape } from '@mallee/aws-protocol'

const struct = (members: Readonly<Record<string, MemberModel>>): StructShape => ({ kind: 'struct', members })
const list = (of: string) => ({ kind: 'list', of }) as const
const text: MemberModel = ['string']
const yes: MemberModel = ['boolean']
const time: MemberModel = ['timestamp']
const neededText: MemberModel = ['string', 0, { required: 1 }]
const named = struct({ Name: neededText })

const trailMembers = {
  Name: text,
  S3BucketName: text,
  S3KeyPrefix: text,
  SnsTopicName: text,
  IncludeGlobalServiceEvents: yes,
  IsMultiRegionTrail: yes,
  EnableLogFileValidation: yes,
  CloudWatchLogsLogGroupArn: text,
  CloudWatchLogsRoleArn: text,
  KmsKeyId: text,
  IsOrganizationTrail: yes,
}

export const lookupAttributeKeys = [
  'EventId',
  'EventName',
  'ReadOnly',
  'Username',
  'ResourceType',
  'ResourceName',
  'EventSource',
  'AccessKeyId',
] as const

export const cloudTrailModel: ServiceModel = {
  service: 'cloudtrail',
  protocol: 'awsJson',
  apiVersion: '2013-11-01',
  xmlNamespace: '',
  source: 'by hand, from the API reference',
  operations: {
    LookupEvents: { in: 'LookupEventsRequest' },
    CreateTrail: { in: 'CreateTrailRequest' },
    DeleteTrail: { in: 'TrailNameRequest' },
    DescribeTrails: { in: 'DescribeTrailsRequest' },
    GetTrail: { in: 'TrailNameRequest' },
    GetTrailStatus: { in: 'TrailNameRequest' },
    GetEventSelectors: { in: 'GetEventSelectorsRequest' },
    ListTrails: { in: 'ListTrailsRequest' },
    StartLogging: { in: 'TrailNameRequest' },
    StopLogging: { in: 'TrailNameRequest' },
  },
  shapes: {
    LookupEventsRequest: struct({
      LookupAttributes: ['LookupAttributesList'],
      StartTime: time,
      EndTime: time,
      EventCategory: text,
      MaxResults: ['integer'],
      NextToken: text,
    }),
    LookupAttributesList: list('LookupAttribute'),
    LookupAttribute: struct({
      AttributeKey: ['LookupAttributeKey', 0, { required: 1 }],
      AttributeValue: neededText,
    }),
    LookupAttributeKey: { kind: 'string', enum: lookupAttributeKeys },
    CreateTrailRequest: struct({
      ...trailMembers,
      Name: neededText,
      S3BucketName: neededText,
      TagsList: ['TagsList'],
    }),
    TagsList: list('Tag'),
    Tag: struct({ Key: neededText, Value: text }),
    TrailNameRequest: named,
    DescribeTrailsRequest: struct({ trailNameList: ['TrailNameList'], includeShadowTrails: yes }),
    TrailNameList: list('string'),
    GetEventSelectorsRequest: struct({ TrailName: neededText }),
    ListTrailsRequest: struct({ NextToken: text }),
  },
}

/** What AWS has beside them; refused by name. */
export const cloudTrailActionNames: ReadonlySet<string> = new Set([
  ...Object.keys(cloudTrailModel.operations),
  ...['AddTags', 'CancelQuery', 'CreateEventDataStore', 'DeleteEventDataStore', 'DescribeQuery'],
  ...['DeregisterOrganizationDelegatedAdmin', 'GetChannel', 'GetEventDataStore', 'GetImport'],
  ...['GetInsightSelectors', 'GetQueryResults', 'ListChannels', 'ListEventDataStores', 'ListImports'],
  ...['ListImportFailures', 'ListPublicKeys', 'ListQueries', 'ListTags', 'PutEventSelectors'],
  ...['PutInsightSelectors', 'RegisterOrganizationDelegatedAdmin', 'RemoveTags', 'RestoreEventDataStore'],
  ...['StartImport', 'StartQuery', 'StopImport', 'UpdateEventDataStore', 'UpdateTrail'],
])
