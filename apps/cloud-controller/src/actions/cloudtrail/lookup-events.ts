import { governanceError } from '@mallee/governance-api'
import type { ApiCallTable } from '../../store/audit-tables.ts'
import type { Reader } from '../../store/record.ts'
import { cloudTrailRecord, prefixOfType, resourceType } from '../../views/cloudtrail-record.ts'
import type { ActionContext } from '../define-action.ts'
import { jsonPage, jsonToken } from '../json-pages.ts'

interface LookupEventsInput {
  readonly LookupAttributes?: readonly { readonly AttributeKey: string; readonly AttributeValue: string }[]
  readonly StartTime?: Date
  readonly EndTime?: Date
  readonly EventCategory?: string
  readonly MaxResults?: number
  readonly NextToken?: string
}

const largestPage = 50

/**
 * The account's own calls, the newest first. As at AWS one attribute at most is taken, and data events are not among them.
 * https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
 */
export async function lookupEvents(ctx: ActionContext, input: LookupEventsInput) {
  const size = input.MaxResults ?? largestPage
  if (size < 1 || size > largestPage)
    throw governanceError('InvalidMaxResultsException', `MaxResults must be between 1 and ${largestPage}.`)
  if (input.EventCategory !== undefined)
    throw governanceError('InvalidEventCategoryException', 'This cloud has no events of that category.')
  if (input.StartTime && input.EndTime && input.StartTime > input.EndTime)
    throw governanceError('InvalidTimeRangeException', 'The start time must not be after the end time.')
  const attributes = input.LookupAttributes ?? []
  if (attributes.length > 1)
    throw governanceError('InvalidLookupAttributesException', 'One lookup attribute can be given at most.')
  const { LookupAttributes, StartTime, EndTime } = input
  const asked = JSON.stringify([LookupAttributes ?? [], StartTime ?? null, EndTime ?? null])
  const before = jsonPage(ctx, input.NextToken, asked, () =>
    governanceError('InvalidNextTokenException', 'The next token is not of this request.'),
  )
  const rows = await ctx.read((db) => find(db, ctx.caller.accountId, input, { before, most: size + 1 }))
  const shown = rows.slice(0, size)
  const token = rows.length > size ? { NextToken: jsonToken(ctx, placeOf(shown.at(-1)!), asked) } : {}
  return { Events: shown.map(eventOf), ...token }
}

function find(
  db: Reader,
  accountId: string,
  input: LookupEventsInput,
  { before, most }: { readonly before: string | null; readonly most: number },
): Promise<ApiCallTable[]> {
  const [attribute] = input.LookupAttributes ?? []
  let query = db
    .selectFrom('api_call')
    .selectAll('api_call')
    .where('account_id', '=', accountId)
    .where('management', '=', 1)
    // In the order of the index: else all lines of a busy account would be sorted for one page.
    .orderBy('at', 'desc')
    .orderBy('api_call.sequence', 'desc')
    .limit(most)
  if (before !== null) {
    const [at, sequence] = before.split(' ').map(Number) as [number, number]
    query = query
      .where('at', '<=', at)
      .where((eb) => eb.or([eb('at', '<', at), eb('api_call.sequence', '<', sequence)]))
  }
  if (input.StartTime) query = query.where('at', '>=', input.StartTime.getTime())
  // A time of whole seconds means all of that second, since that is what clients were told.
  if (input.EndTime) query = query.where('at', '<', input.EndTime.getTime() + 1000)
  if (!attribute) return query.execute()
  const { AttributeKey: key, AttributeValue: value } = attribute
  const column = columns[key]
  if (column) return query.where(column, '=', value).execute()
  if (key === 'ReadOnly') return query.where('read_only', '=', value === 'true' ? 1 : 0).execute()
  const resources = query.innerJoin('api_call_resource', 'api_call_resource.sequence', 'api_call.sequence')
  if (key === 'ResourceName') return resources.where('resource_id', '=', value).execute()
  const prefix = prefixOfType(value)
  if (prefix === undefined) return Promise.resolve([])
  return resources.where('resource_id', 'like', `${prefix}-%`).distinct().execute()
}

/** What a page begins after. */
const placeOf = ({ at, sequence }: ApiCallTable): string => `${at} ${sequence}`

const columns: Readonly<
  Record<string, 'event_id' | 'event_name' | 'user_name' | 'event_source' | 'access_key_id'>
> = {
  EventId: 'event_id',
  EventName: 'event_name',
  Username: 'user_name',
  EventSource: 'event_source',
  AccessKeyId: 'access_key_id',
}

function eventOf(row: ApiCallTable) {
  return {
    EventId: row.event_id,
    EventName: row.event_name,
    ReadOnly: row.read_only === 1 ? 'true' : 'false',
    ...(row.access_key_id === null ? {} : { AccessKeyId: row.access_key_id }),
    EventTime: new Date(Math.floor(row.at / 1000) * 1000),
    EventSource: row.event_source,
    ...(row.user_name === null ? {} : { Username: row.user_name }),
    Resources: (JSON.parse(row.resources) as string[]).map((id) => ({
      ResourceType: resourceType(id),
      ResourceName: id,
    })),
    CloudTrailEvent: JSON.stringify(cloudTrailRecord(row)),
  }
}
