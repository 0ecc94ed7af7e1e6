import type { Ec2, Ec2Input } from '@mallee/ec2-api'
import {
  invalidLaunchTemplateIdVersionNotFound,
  invalidParameterValue,
  missingParameter,
  resourceLimitExceeded,
} from '@mallee/ec2-api'
import { callerArn } from '../../identity/caller.ts'
import {
  latestVersions,
  requireLaunchTemplate,
  requireTemplateVersion,
  versionNumber,
} from '../../store/launch-template-store.ts'
import { requireQuota } from '../../store/quota-store.ts'
import type { Reader } from '../../store/record.ts'
import type { LaunchTemplateTable, LaunchTemplateVersionTable } from '../../store/tables.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { nextToken, pageOf } from '../pages.ts'
import { checkTemplateData, mergeMembers, templateMembers, templateOnly } from './launch-members.ts'
import { templatePages } from './launch-templates.ts'

/** A version with the template that it is of. */
interface Version {
  readonly template: LaunchTemplateTable
  readonly row: LaunchTemplateVersionTable
  readonly data: Ec2.RequestLaunchTemplateData
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplateVersion.html */
export const createLaunchTemplateVersion = defineEc2Action('CreateLaunchTemplateVersion', {
  honours: [
    'LaunchTemplateId',
    'LaunchTemplateName',
    'SourceVersion',
    'VersionDescription',
    ...templateMembers,
  ],
  only: { ...templateOnly, ResolveAlias: [false] },
  async run(ctx, input) {
    checkTemplateData(input.LaunchTemplateData)
    const made = await ctx.transaction(async (tx) => {
      const template = await requireLaunchTemplate(tx.db, ctx.caller.accountId, input)
      const source =
        input.SourceVersion === undefined
          ? {}
          : (JSON.parse(
              (await requireTemplateVersion(tx.db, template, input.SourceVersion)).data,
            ) as Ec2.RequestLaunchTemplateData)
      const { count } = await tx.db
        .selectFrom('launch_template_version')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('template_id', '=', template.id)
        .executeTakeFirstOrThrow()
      await requireQuota(tx.db, ctx.caller, 'versions-per-launch-template', Number(count), (quota) =>
        resourceLimitExceeded(`You have reached your limit of ${quota} versions of a launch template.`),
      )
      const version = template.latest_version + 1
      const data = mergeMembers(source, input.LaunchTemplateData)
      checkTemplateData(data)
      await tx.db
        .updateTable('launch_template')
        .set({ latest_version: version })
        .where('id', '=', template.id)
        .execute()
      await tx.db
        .insertInto('launch_template_version')
        .values({
          template_id: template.id,
          version,
          description: input.VersionDescription ?? null,
          created_at: ctx.nowMs,
          created_by: callerArn(ctx.caller),
          data: JSON.stringify(data),
        })
        .execute()
      tx.touch(template.id)
      return { LaunchTemplateId: template.id, version }
    })
    return ctx.read(async (db) => {
      const template = await requireLaunchTemplate(db, ctx.caller.accountId, {
        LaunchTemplateId: made.LaunchTemplateId,
      })
      const row = await requireTemplateVersion(db, template, String(made.version))
      return { LaunchTemplateVersion: versionView(withData(template, row)) }
    })
  },
})

const fields: FilterFields<Version> = {
  'create-time': ({ row }) => [new Date(row.created_at).toISOString()],
  'ebs-optimized': ({ data }) => [data.EbsOptimized ?? false],
  'host-resource-group-arn': () => [],
  'http-endpoint': ({ data }) => [data.MetadataOptions?.HttpEndpoint],
  'http-protocol-ipv4': ({ data }) => [data.MetadataOptions?.HttpEndpoint],
  'http-tokens': ({ data }) => [data.MetadataOptions?.HttpTokens],
  'iam-instance-profile': () => [],
  'image-id': ({ data }) => [data.ImageId],
  'instance-type': ({ data }) => [data.InstanceType],
  'is-default-version': ({ template, row }) => [row.version === template.default_version],
  'kernel-id': ({ data }) => [data.KernelId],
  'license-configuration-arn': () => [],
  'network-card-index': () => [],
  'ram-disk-id': ({ data }) => [data.RamDiskId],
}

/** The newest first. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html */
export const describeLaunchTemplateVersions = defineEc2Action('DescribeLaunchTemplateVersions', {
  honours: [
    'LaunchTemplateId',
    'LaunchTemplateName',
    'Versions',
    'MinVersion',
    'MaxVersion',
    'Filters',
    'MaxResults',
    'NextToken',
  ],
  only: { ResolveAlias: [false] },
  filters: filterNames(fields, { tagged: false }),
  async run(ctx, input) {
    const isOne = input.LaunchTemplateId !== undefined || input.LaunchTemplateName !== undefined
    const [min, max] = [
      versionBound('MinVersion', input.MinVersion),
      versionBound('MaxVersion', input.MaxVersion),
    ]
    return ctx.read(async (db) => {
      if (isOne && (input.Versions ?? []).length === 0 && (input.Filters ?? []).length === 0)
        return describePage(ctx, db, input, { min: min ?? 0, max: max ?? highestVersion })
      const versions = isOne
        ? await versionsOfOne(
            db,
            await requireLaunchTemplate(db, ctx.caller.accountId, input),
            input.Versions ?? [],
          )
        : await versionsOfAll(ctx, db, input.Versions ?? [])
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: versions.filter(
          ({ row }) => (min === null || row.version >= min) && (max === null || row.version <= max),
        ),
        idOf: ({ row }) => keyOf(row),
        tagged: false,
        fields,
        ...templatePages,
        view: versionView,
      })
      return { LaunchTemplateVersions: views, NextToken: nextToken }
    })
  },
})

const highestVersion = 1e10

/** The newest come first. */
function keyOf(row: Pick<LaunchTemplateVersionTable, 'template_id' | 'version'>): string {
  return `${row.template_id} ${String(highestVersion - row.version).padStart(11, '0')}`
}

/** All versions of one template, a page at a time out of the record: there may be thousands, each with its user data. */
async function describePage(
  ctx: ActionContext,
  db: Reader,
  input: Ec2Input<'DescribeLaunchTemplateVersions'>,
  { min, max }: { min: number; max: number },
) {
  const template = await requireLaunchTemplate(db, ctx.caller.accountId, input)
  const { after, size } = pageOf(ctx, input, templatePages)
  const below = after === null ? max : highestVersion - Number(after.split(' ')[1]) - 1
  const most = size ?? templatePages.largest
  const rows = await db
    .selectFrom('launch_template_version')
    .selectAll()
    .where('template_id', '=', template.id)
    .where('version', '>=', min)
    .where('version', '<=', Math.min(below, max))
    .orderBy('version', 'desc')
    .limit(most + 1)
    .execute()
  const shown = rows.slice(0, most)
  return {
    LaunchTemplateVersions: shown.map((row) => versionView(withData(template, row))),
    NextToken: shown.length < rows.length ? nextToken(ctx, keyOf(shown.at(-1)!)) : undefined,
  }
}

export function versionBound(parameter: string, text: string | undefined): number | null {
  if (text === undefined) return null
  if (!/^[0-9]{1,10}$/.test(text))
    throw invalidParameterValue(
      `Value (${text.slice(0, 60)}) for parameter ${parameter} is invalid. It must be a version number.`,
    )
  return Number(text)
}

async function versionsOfOne(
  db: Reader,
  template: LaunchTemplateTable,
  wanted: readonly string[],
): Promise<Version[]> {
  const numbers = new Map<string, number>()
  for (const text of wanted) numbers.set(text, await versionNumber(db, template, text))
  const rows = await db
    .selectFrom('launch_template_version')
    .selectAll()
    .where('template_id', '=', template.id)
    .$if(wanted.length > 0, (query) => query.where('version', 'in', [...numbers.values()]))
    .execute()
  for (const [text, number] of numbers)
    if (!rows.some((row) => row.version === number))
      throw invalidLaunchTemplateIdVersionNotFound(template.id, text)
  return rows.map((row) => withData(template, row))
}

const askOfAll =
  'To describe the versions of all your launch templates, specify $Latest, $Default, or both, and no template. To describe those of one, specify its ID or its name.'

/** The latest or the default one of every template that the caller has. */
async function versionsOfAll(ctx: ActionContext, db: Reader, wanted: readonly string[]): Promise<Version[]> {
  if (wanted.length === 0) throw missingParameter('LaunchTemplateId')
  if (wanted.some((text) => text !== '$Latest' && text !== '$Default')) throw invalidParameterValue(askOfAll)
  const templates = await db
    .selectFrom('launch_template')
    .selectAll()
    .where('account_id', '=', ctx.caller.accountId)
    .execute()
  const latest = await latestVersions(
    db,
    templates.map((template) => template.id),
  )
  const versions: Version[] = []
  for (const template of templates) {
    const numbers = new Set(
      wanted.map((text) => (text === '$Latest' ? latest.get(template.id)! : template.default_version)),
    )
    const rows = await db
      .selectFrom('launch_template_version')
      .selectAll()
      .where('template_id', '=', template.id)
      .where('version', 'in', [...numbers])
      .execute()
    versions.push(...rows.map((row) => withData(template, row)))
  }
  return versions
}

function withData(template: LaunchTemplateTable, row: LaunchTemplateVersionTable): Version {
  return { template, row, data: JSON.parse(row.data) as Ec2.RequestLaunchTemplateData }
}

function versionView({ template, row, data }: Version): Ec2.LaunchTemplateVersion {
  return {
    LaunchTemplateId: template.id,
    LaunchTemplateName: template.name,
    VersionNumber: row.version,
    ...(row.description === null ? {} : { VersionDescription: row.description }),
    CreateTime: new Date(row.created_at),
    CreatedBy: row.created_by,
    DefaultVersion: row.version === template.default_version,
    LaunchTemplateData: data as Ec2.ResponseLaunchTemplateData,
  }
}
