import { idPrefixes } from '@mallee/base'
import type { ApiCallTable } from '../store/audit-tables.ts'

/** https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html */
const recordVersion = '1.08'

/** One call as a record of CloudTrail: what LookupEvents answers as text, and what its files hold. */
export function cloudTrailRecord(row: ApiCallTable): Record<string, unknown> {
  const resources = JSON.parse(row.resources) as string[]
  const failed = row.error_code === null ? {} : { errorCode: row.error_code, errorMessage: row.error_message }
  return {
    eventVersion: recordVersion,
    userIdentity: JSON.parse(row.identity) as unknown,
    eventTime: secondsOf(row.at),
    eventSource: row.event_source,
    eventName: row.event_name,
    awsRegion: row.region,
    sourceIPAddress: row.source_ip,
    userAgent: row.user_agent,
    ...failed,
    requestParameters: parsed(row.parameters),
    responseElements: parsed(row.response),
    requestID: row.request_id,
    eventID: row.event_id,
    readOnly: row.read_only === 1,
    ...(resources.length === 0 ? {} : { resources: resources.map((id) => resourceOf(row, id)) }),
    // `Recovered` is a word of ours, which readers of CloudTrail do not know; the line itself says it elsewhere.
    eventType: 'AwsApiCall',
    ...(row.event_type === 'Recovered'
      ? { additionalEventData: { recovered: 'The daemon ended before the call was answered.' } }
      : {}),
    managementEvent: row.management === 1,
    recipientAccountId: row.account_id,
    eventCategory: row.management === 1 ? 'Management' : 'Data',
    ...(row.secure === 1 ? { tlsDetails: { tlsVersion: 'TLSv1.3' } } : {}),
  }
}

const parsed = (text: string | null): unknown => (text === null ? null : JSON.parse(text))

/** CloudTrail's times have no fraction. */
export const secondsOf = (atMs: number): string => `${new Date(atMs).toISOString().slice(0, 19)}Z`

function resourceOf(row: ApiCallTable, id: string) {
  const arn = arnOf(row, id)
  return { accountId: row.account_id, type: resourceType(id), ...(arn === null ? {} : { ARN: arn }) }
}

/** Types by prefix of the id. https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events-supported-resource-types.html */
const types: Readonly<Record<string, readonly [type: string, word: string]>> = {
  [idPrefixes.instance]: ['AWS::EC2::Instance', 'instance'],
  [idPrefixes.image]: ['AWS::EC2::Ami', 'image'],
  [idPrefixes.vpc]: ['AWS::EC2::VPC', 'vpc'],
  [idPrefixes.subnet]: ['AWS::EC2::Subnet', 'subnet'],
  [idPrefixes.networkInterface]: ['AWS::EC2::NetworkInterface', 'network-interface'],
  [idPrefixes.securityGroup]: ['AWS::EC2::SecurityGroup', 'security-group'],
  [idPrefixes.keyPair]: ['AWS::EC2::KeyPair', 'key-pair'],
  [idPrefixes.volume]: ['AWS::EC2::Volume', 'volume'],
  [idPrefixes.snapshot]: ['AWS::EC2::Snapshot', 'snapshot'],
  [idPrefixes.allocation]: ['AWS::EC2::EIP', 'elastic-ip'],
  [idPrefixes.internetGateway]: ['AWS::EC2::InternetGateway', 'internet-gateway'],
  [idPrefixes.routeTable]: ['AWS::EC2::RouteTable', 'route-table'],
  [idPrefixes.networkAcl]: ['AWS::EC2::NetworkAcl', 'network-acl'],
  [idPrefixes.dhcpOptions]: ['AWS::EC2::DHCPOptions', 'dhcp-options'],
  [idPrefixes.launchTemplate]: ['AWS::EC2::LaunchTemplate', 'launch-template'],
  [idPrefixes.placementGroup]: ['AWS::EC2::PlacementGroup', 'placement-group'],
}

const prefixOf = (id: string): string => id.slice(0, Math.max(id.lastIndexOf('-'), 0))

/** Types of what is named by its ARN. */
const arnTypes: readonly (readonly [start: string, type: string])[] = [
  ['arn:aws:s3:::', 'AWS::S3::Bucket'],
  ['arn:aws:cloudtrail:', 'AWS::CloudTrail::Trail'],
]

/** `Other` for what CloudTrail has no name for. */
export function resourceType(id: string): string {
  return types[prefixOf(id)]?.[0] ?? arnTypes.find(([start]) => id.startsWith(start))?.[1] ?? 'Other'
}

/** The prefix that ids of a type have; undefined for a type that none of ours is of. */
export function prefixOfType(type: string): string | undefined {
  return Object.entries(types).find(([, [name]]) => name === type)?.[0]
}

function arnOf(row: ApiCallTable, id: string): string | null {
  if (id.startsWith('arn:')) return id
  const word = types[prefixOf(id)]?.[1]
  return word === undefined ? null : `arn:aws:ec2:${row.region}:${row.account_id ?? ''}:${word}/${id}`
}
