/** What the EBS direct APIs need leave for. https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticblockstore.html */
import type { Reader } from '../store/record.ts'
import type { Ask } from './authorize.ts'
import { resourceConditions, type Conditions } from './resource-conditions.ts'

interface EbsRequest {
  /** `StartSnapshot` */
  readonly operation: string
  readonly input: Readonly<Record<string, unknown>>
  readonly region: string
  /** Of the request itself. */
  readonly conditions: Readonly<Conditions>
}

export async function ebsAsks(
  db: Reader,
  { operation, input, region, conditions }: EbsRequest,
): Promise<Ask[]> {
  const arn = (id: string) => `arn:aws:ec2:${region}::snapshot/${id}`
  const id = input['SnapshotId'] as string | undefined
  const known =
    id === undefined ? undefined : await resourceConditions(db, [{ type: 'snapshot', id }], region)
  const parent = input['ParentSnapshotId'] as string | undefined
  const context = {
    ...conditions,
    ...(id === undefined ? {} : known?.get(id)),
    'ebs:VolumeSize': input['VolumeSize'] as number | undefined,
    'ebs:Description': input['Description'] as string | undefined,
    'ebs:ParentSnapshot': parent === undefined ? undefined : arn(parent),
    ...tagConditions((input['Tags'] ?? []) as readonly { Key?: string; Value?: string }[]),
  }
  return [{ action: `ebs:${operation}`, resource: arn(id ?? '*'), context }]
}

function tagConditions(tags: readonly { Key?: string; Value?: string }[]): Conditions {
  if (tags.length === 0) return {}
  return {
    'aws:TagKeys': tags.map(({ Key = '' }) => Key),
    ...Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [`aws:RequestTag/${Key}`, Value])),
  }
}
