/** Launch templates and their versions. A version's number is given once: what was deleted leaves a gap. */
import { isWellFormedId } from '@mallee/base'
import {
  invalidLaunchTemplateIdMalformed,
  invalidLaunchTemplateIdNotFound,
  invalidLaunchTemplateIdVersionNotFound,
  invalidLaunchTemplateNameNotFound,
  invalidParameterCombination,
  missingParameter,
} from '@mallee/ec2-api'
import type { Reader } from './record.ts'
import type { LaunchTemplateTable, LaunchTemplateVersionTable } from './tables.ts'

/** How every action names one template: by id or by name. */
export interface TemplateName {
  readonly LaunchTemplateId?: string | undefined
  readonly LaunchTemplateName?: string | undefined
}

export async function requireLaunchTemplate(
  db: Reader,
  accountId: string | null,
  { LaunchTemplateId: id, LaunchTemplateName: name }: TemplateName,
): Promise<LaunchTemplateTable> {
  if (id !== undefined && name !== undefined)
    throw invalidParameterCombination(
      'You must specify either the launch template ID or the launch template name, but not both.',
    )
  if (id === undefined && name === undefined) throw missingParameter('LaunchTemplateId')
  if (id !== undefined && !isWellFormedId('launchTemplate', id)) throw invalidLaunchTemplateIdMalformed(id)
  const row = await db
    .selectFrom('launch_template')
    .selectAll()
    .$if(accountId !== null, (query) => query.where('account_id', '=', accountId!))
    .$if(id !== undefined, (query) => query.where('id', '=', id!))
    .$if(name !== undefined, (query) => query.where('name', '=', name!))
    .executeTakeFirst()
  if (row) return row
  throw id === undefined ? invalidLaunchTemplateNameNotFound([name!]) : invalidLaunchTemplateIdNotFound(id)
}

/** The highest version that each template has. */
export async function latestVersions(
  db: Reader,
  templateIds: readonly string[],
): Promise<Map<string, number>> {
  const latest = new Map<string, number>()
  for (let start = 0; start < templateIds.length; start += 500) {
    const rows = await db
      .selectFrom('launch_template_version')
      .select((eb) => ['template_id', eb.fn.max('version').as('version')])
      .where('template_id', 'in', templateIds.slice(start, start + 500))
      .groupBy('template_id')
      .execute()
    for (const row of rows) latest.set(row.template_id, Number(row.version))
  }
  return latest
}

/** The number that `$Latest`, `$Default` or digits stand for; whether there is such a version is another question. */
export async function versionNumber(
  db: Reader,
  template: LaunchTemplateTable,
  version: string,
): Promise<number> {
  if (version === '$Default') return template.default_version
  if (version === '$Latest') return (await latestVersions(db, [template.id])).get(template.id)!
  if (!/^[1-9][0-9]{0,9}$/.test(version)) throw invalidLaunchTemplateIdVersionNotFound(template.id, version)
  return Number(version)
}

export async function requireTemplateVersion(
  db: Reader,
  template: LaunchTemplateTable,
  version: string,
): Promise<LaunchTemplateVersionTable> {
  const row = await db
    .selectFrom('launch_template_version')
    .selectAll()
    .where('template_id', '=', template.id)
    .where('version', '=', await versionNumber(db, template, version))
    .executeTakeFirst()
  if (!row) throw invalidLaunchTemplateIdVersionNotFound(template.id, version)
  return row
}
