import { newId } from '@mallee/base'
import type { Ec2 } from '@mallee/ec2-api'
import {
  invalidLaunchTemplateIdMalformed,
  invalidLaunchTemplateIdNotFound,
  invalidLaunchTemplateNameAlreadyExists,
  invalidLaunchTemplateNameMalformed,
  invalidLaunchTemplateNameNotFound,
  missingParameter,
  resourceLimitExceeded,
} from '@mallee/ec2-api'
import { callerArn } from '../../identity/caller.ts'
import {
  latestVersions,
  requireLaunchTemplate,
  requireTemplateVersion,
} from '../../store/launch-template-store.ts'
import { requireQuota } from '../../store/quota-store.ts'
import type { Reader } from '../../store/record.ts'
import type { LaunchTemplateTable } from '../../store/tables.ts'
import { deleteTagsOf, putTags, readTags } from '../../store/tag-store.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { describeThings, type Tag } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { requireIds } from '../required-ids.ts'
import { tagRows } from '../tag-specifications.ts'
import { checkTemplateData, templateMembers, templateOnly } from './launch-members.ts'

/** AWS's page sizes for templates and versions. */
export const templatePages = { smallest: 1, largest: 200 }

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html */
export const createLaunchTemplate = defineEc2Action('CreateLaunchTemplate', {
  honours: ['LaunchTemplateName', 'VersionDescription', 'TagSpecifications', ...templateMembers],
  only: templateOnly,
  creates: ['launch-template'],
  async run(ctx, input) {
    if (!/^[a-zA-Z0-9().\-/_]{3,128}$/.test(input.LaunchTemplateName))
      throw invalidLaunchTemplateNameMalformed()
    checkTemplateData(input.LaunchTemplateData)
    const id = await ctx.transaction(async (tx) => {
      const { accountId } = ctx.caller
      const present = await tx.db
        .selectFrom('launch_template')
        .select('name')
        .where('account_id', '=', accountId)
        .execute()
      if (present.some((row) => row.name === input.LaunchTemplateName))
        throw invalidLaunchTemplateNameAlreadyExists()
      await requireQuota(tx.db, ctx.caller, 'launch-templates', present.length, (quota) =>
        resourceLimitExceeded(`You have reached your limit of ${quota} launch templates.`),
      )
      const made = { created_at: ctx.nowMs, created_by: callerArn(ctx.caller) }
      const templateId = newId('launchTemplate', ctx.random)
      await tx.db
        .insertInto('launch_template')
        .values({
          id: templateId,
          account_id: accountId,
          name: input.LaunchTemplateName,
          default_version: 1,
          latest_version: 1,
          ...made,
        })
        .execute()
      await tx.db
        .insertInto('launch_template_version')
        .values({
          template_id: templateId,
          version: 1,
          description: input.VersionDescription ?? null,
          data: JSON.stringify(input.LaunchTemplateData),
          ...made,
        })
        .execute()
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'launch-template', [templateId]))
      tx.touch(templateId)
      return templateId
    })
    return { LaunchTemplate: await ctx.read((db) => readTemplate(ctx, db, id)) }
  },
})

const fields: FilterFields<LaunchTemplateTable> = {
  'create-time': (row) => [new Date(row.created_at).toISOString()],
  'launch-template-name': (row) => [row.name],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplates.html */
export const describeLaunchTemplates = defineEc2Action('DescribeLaunchTemplates', {
  honours: ['LaunchTemplateIds', 'LaunchTemplateNames', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: true }),
  ids: ['LaunchTemplateIds', 'LaunchTemplateNames'],
  async run(ctx, input) {
    const ids = input.LaunchTemplateIds ?? []
    const names = input.LaunchTemplateNames ?? []
    return ctx.read(async (db) => {
      const rows = await db
        .selectFrom('launch_template')
        .selectAll()
        .$if(ctx.scope !== null, (query) => query.where('account_id', '=', ctx.scope!))
        .execute()
      requireIds(ids, rows, {
        kind: 'launchTemplate',
        idOf: (row) => row.id,
        malformed: invalidLaunchTemplateIdMalformed,
        missing: (missing) => invalidLaunchTemplateIdNotFound(missing.join(', ')),
      })
      const missing = names.filter((name) => !rows.some((row) => row.name === name))
      if (missing.length > 0) throw invalidLaunchTemplateNameNotFound(missing)
      const things = rows.filter(
        (row) =>
          (ids.length === 0 || ids.includes(row.id)) && (names.length === 0 || names.includes(row.name)),
      )
      const latest = await latestVersions(
        db,
        things.map((row) => row.id),
      )
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things,
        idOf: (row) => row.id,
        fields,
        ...templatePages,
        view: (row, tags) => templateView(row, latest.get(row.id), tags),
      })
      return { LaunchTemplates: views, NextToken: nextToken }
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyLaunchTemplate.html */
export const modifyLaunchTemplate = defineEc2Action('ModifyLaunchTemplate', {
  honours: ['LaunchTemplateId', 'LaunchTemplateName', 'DefaultVersion'],
  async run(ctx, input) {
    const wanted = input.DefaultVersion
    if (wanted === undefined) throw missingParameter('SetDefaultVersion')
    const id = await ctx.transaction(async (tx) => {
      const template = await requireLaunchTemplate(tx.db, ctx.caller.accountId, input)
      const { version } = await requireTemplateVersion(tx.db, template, wanted)
      await tx.db
        .updateTable('launch_template')
        .set({ default_version: version })
        .where('id', '=', template.id)
        .execute()
      tx.touch(template.id)
      return template.id
    })
    return { LaunchTemplate: await ctx.read((db) => readTemplate(ctx, db, id)) }
  },
})

/** All its versions go with it. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteLaunchTemplate.html */
export const deleteLaunchTemplate = defineEc2Action('DeleteLaunchTemplate', {
  honours: ['LaunchTemplateId', 'LaunchTemplateName'],
  async run(ctx, input) {
    const { row, latest } = await ctx.transaction(async (tx) => {
      const template = await requireLaunchTemplate(tx.db, ctx.caller.accountId, input)
      const versions = await latestVersions(tx.db, [template.id])
      await deleteTagsOf(tx, template.id)
      await tx.db.deleteFrom('launch_template_version').where('template_id', '=', template.id).execute()
      await tx.db.deleteFrom('launch_template').where('id', '=', template.id).execute()
      tx.touch(template.id)
      return { row: template, latest: versions.get(template.id) }
    })
    return { LaunchTemplate: templateView(row, latest, []) }
  },
})

async function readTemplate(ctx: ActionContext, db: Reader, id: string): Promise<Ec2.LaunchTemplate> {
  const row = await requireLaunchTemplate(db, ctx.caller.accountId, { LaunchTemplateId: id })
  const tags = await readTags(db, ctx.caller.accountId, [id])
  return templateView(row, (await latestVersions(db, [id])).get(id), tags.get(id) ?? [])
}

function templateView(row: LaunchTemplateTable, latest: number | undefined, tags: Tag[]): Ec2.LaunchTemplate {
  return {
    LaunchTemplateId: row.id,
    LaunchTemplateName: row.name,
    CreateTime: new Date(row.created_at),
    CreatedBy: row.created_by,
    DefaultVersionNumber: row.default_version,
    LatestVersionNumber: latest,
    Tags: tags,
  }
}
