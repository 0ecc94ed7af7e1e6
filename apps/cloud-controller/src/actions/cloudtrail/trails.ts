import { governanceError } from '@mallee/governance-api'
import type { TrailTable } from '../../store/audit-tables.ts'
import type { Reader } from '../../store/record.ts'
import { changeTrail, fileTrailLines, getTrail, lastSequence } from '../../store/trail-store.ts'
import type { ActionContext } from '../define-action.ts'

/** AWS's own number. */
const mostTrails = 5
const longestPrefix = 200

interface CreateTrailInput {
  readonly Name: string
  readonly S3BucketName: string
  readonly S3KeyPrefix?: string
  readonly IncludeGlobalServiceEvents?: boolean
}

/** What is not done, and may only say so. */
const refusedMembers = [
  'SnsTopicName',
  'IsMultiRegionTrail',
  'EnableLogFileValidation',
  'CloudWatchLogsLogGroupArn',
  'CloudWatchLogsRoleArn',
  'KmsKeyId',
  'IsOrganizationTrail',
  'TagsList',
]

/**
 * Whether the bucket is there and the account's is walrus' to find out: GetTrailStatus says what became of the last file.
 * https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html
 */
export async function createTrail(ctx: ActionContext, input: CreateTrailInput) {
  for (const name of refusedMembers) {
    const given = (input as unknown as Record<string, unknown>)[name]
    const isEmpty = given === undefined || given === false || (Array.isArray(given) && given.length === 0)
    if (!isEmpty)
      throw governanceError(
        'UnsupportedOperationException',
        `The parameter ${name} is not supported by this cloud.`,
      )
  }
  checkName(input.Name)
  const { S3BucketName: bucket, S3KeyPrefix: prefix } = input
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
    throw governanceError('InvalidS3BucketNameException', 'Bucket name cannot be used.')
  if (
    prefix !== undefined &&
    (prefix.length > longestPrefix || !/^[\x21-\x7e]+$/.test(prefix) || prefix.endsWith('/'))
  )
    throw governanceError(
      'InvalidS3PrefixException',
      `The prefix has at most ${longestPrefix} characters and ends with no slash.`,
    )
  const row: TrailTable = {
    account_id: ctx.caller.accountId,
    name: input.Name,
    bucket,
    key_prefix: prefix ?? null,
    include_global: input.IncludeGlobalServiceEvents === false ? 0 : 1,
    created_at: ctx.nowMs,
    logging: 0,
    started_at: null,
    stopped_at: null,
    sequence: 0,
    delivered_at: null,
    error: null,
    attempted_at: null,
  }
  return ctx.transaction(async (tx) => {
    const present = await trailsOf(tx.db, ctx)
    if (present.some((trail) => trail.name === row.name))
      throw governanceError(
        'TrailAlreadyExistsException',
        `Trail ${row.name} already exists for customer: ${row.account_id}`,
      )
    if (present.length >= mostTrails)
      throw governanceError(
        'MaximumNumberOfTrailsExceededException',
        `User already has ${mostTrails} trails.`,
      )
    await tx.db.insertInto('trail').values(row).execute()
    tx.touch(arnOf(ctx, row.name))
    return {
      ...trailView(ctx, row),
      HomeRegion: undefined,
      HasCustomEventSelectors: undefined,
      HasInsightSelectors: undefined,
    }
  })
}

interface NamedInput {
  readonly Name: string
}

/** What is in files already is still delivered; what is in none is left out. */
export async function deleteTrail(ctx: ActionContext, { Name }: NamedInput) {
  return ctx.transaction(async (tx) => {
    const trail = await requireTrail(ctx, tx.db, Name)
    await tx.db
      .deleteFrom('trail')
      .where('account_id', '=', trail.account_id)
      .where('name', '=', trail.name)
      .execute()
    tx.touch(arnOf(ctx, trail.name))
    return {}
  })
}

/** From the next call on. */
export async function startLogging(ctx: ActionContext, { Name }: NamedInput) {
  return ctx.transaction(async (tx) => {
    const trail = await requireTrail(ctx, tx.db, Name)
    tx.touch(arnOf(ctx, trail.name))
    if (trail.logging === 1) return {}
    const sequence = await lastSequence(tx.db)
    await changeTrail(tx, trail, { logging: 1, started_at: ctx.nowMs, sequence })
    return {}
  })
}

export async function stopLogging(ctx: ActionContext, { Name }: NamedInput) {
  return ctx.transaction(async (tx) => {
    const trail = await requireTrail(ctx, tx.db, Name)
    tx.touch(arnOf(ctx, trail.name))
    if (trail.logging === 0) return {}
    const { nowMs, random } = ctx
    await fileTrailLines(tx, trail, { nowMs, random, region: ctx.settings.region })
    await changeTrail(tx, trail, { logging: 0, stopped_at: nowMs })
    return {}
  })
}

export async function describeTrails(
  ctx: ActionContext,
  input: { readonly trailNameList?: readonly string[] },
) {
  const wanted = (input.trailNameList ?? []).map((name) => nameIn(ctx, name))
  const rows = await ctx.read((db) => trailsOf(db, ctx))
  const found = rows.filter((row) => wanted.length === 0 || wanted.includes(row.name))
  return { trailList: found.map((row) => trailView(ctx, row)) }
}

export async function listTrails(ctx: ActionContext) {
  const rows = await ctx.read((db) => trailsOf(db, ctx))
  return {
    Trails: rows.map(({ name }) => ({
      TrailARN: arnOf(ctx, name),
      Name: name,
      HomeRegion: ctx.settings.region,
    })),
  }
}

export async function getTrailAction(ctx: ActionContext, { Name }: NamedInput) {
  return { Trail: trailView(ctx, await ctx.read((db) => requireTrail(ctx, db, Name))) }
}

/** All management events are recorded, and no others: as a new trail has it at AWS. */
export async function getEventSelectors(ctx: ActionContext, { TrailName }: { readonly TrailName: string }) {
  const { name } = await ctx.read((db) => requireTrail(ctx, db, TrailName))
  return {
    TrailARN: arnOf(ctx, name),
    EventSelectors: [
      {
        ...{ ReadWriteType: 'All', IncludeManagementEvents: true },
        ...{ DataResources: [], ExcludeManagementEventSources: [] },
      },
    ],
  }
}

export async function getTrailStatus(ctx: ActionContext, { Name }: NamedInput) {
  const row = await ctx.read((db) => requireTrail(ctx, db, Name))
  const time = (atMs: number | null) => (atMs === null ? undefined : new Date(atMs))
  const text = (atMs: number | null) => (atMs === null ? '' : `${new Date(atMs).toISOString().slice(0, 19)}Z`)
  return {
    IsLogging: row.logging === 1,
    LatestDeliveryError: row.error ?? undefined,
    LatestDeliveryTime: time(row.delivered_at),
    StartLoggingTime: time(row.started_at),
    StopLoggingTime: time(row.stopped_at),
    LatestDeliveryAttemptTime: text(row.attempted_at),
    LatestNotificationAttemptTime: '',
    LatestNotificationAttemptSucceeded: '',
    LatestDeliveryAttemptSucceeded: row.error === null ? text(row.attempted_at) : '',
    TimeLoggingStarted: text(row.started_at),
    TimeLoggingStopped: text(row.stopped_at),
  }
}

function trailsOf(db: Reader, ctx: ActionContext): Promise<TrailTable[]> {
  return db
    .selectFrom('trail')
    .selectAll()
    .where('account_id', '=', ctx.caller.accountId)
    .orderBy('name')
    .execute()
}

function trailView(ctx: ActionContext, row: TrailTable) {
  return {
    Name: row.name,
    S3BucketName: row.bucket,
    S3KeyPrefix: row.key_prefix ?? undefined,
    IncludeGlobalServiceEvents: row.include_global === 1,
    IsMultiRegionTrail: false,
    HomeRegion: ctx.settings.region as string | undefined,
    TrailARN: arnOf(ctx, row.name),
    LogFileValidationEnabled: false,
    HasCustomEventSelectors: false as boolean | undefined,
    HasInsightSelectors: false as boolean | undefined,
    IsOrganizationTrail: false,
  }
}

const arnOf = (ctx: ActionContext, name: string): string =>
  `arn:aws:cloudtrail:${ctx.settings.region}:${ctx.caller.accountId}:trail/${name}`

/** A trail is named by its name or by its ARN. */
function nameIn(ctx: ActionContext, given: string): string {
  const prefix = arnOf(ctx, '')
  return given.startsWith(prefix) ? given.slice(prefix.length) : given
}

async function requireTrail(ctx: ActionContext, db: Reader, given: string): Promise<TrailTable> {
  const name = nameIn(ctx, given)
  const trail = await getTrail(db, ctx.caller.accountId, name)
  if (trail) return trail
  if (given === name && !name.startsWith('arn:')) checkName(name)
  throw governanceError(
    'TrailNotFoundException',
    `Unknown trail: ${name.slice(0, 200)} for the user: ${ctx.caller.accountId}`,
  )
}

/** https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html */
function checkName(name: string): void {
  const isName =
    /^[A-Za-z0-9][A-Za-z0-9._-]{1,126}[A-Za-z0-9]$/.test(name) &&
    !/[._-]{2}/.test(name) &&
    !/^\d{1,3}(?:\.\d{1,3}){3}$/.test(name)
  if (!isName)
    throw governanceError(
      'InvalidTrailNameException',
      'Trail names have 3 to 128 letters, digits, periods, underscores and dashes, no two of the latter in a row, and are no IP address.',
    )
}
