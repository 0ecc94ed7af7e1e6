import type { Ec2 } from '@mallee/ec2-api'
import {
  invalidLaunchTemplateIdVersionNotFound,
  invalidParameterValue,
  missingParameter,
} from '@mallee/ec2-api'
import { requireLaunchTemplate } from '../../store/launch-template-store.ts'
import type { Tx } from '../../store/record.ts'
import type { LaunchTemplateTable } from '../../store/tables.ts'
import { defineEc2Action } from '../define-action.ts'
import { versionBound } from './launch-template-versions.ts'

/** AWS deletes this many at once. */
const deletedAtOnce = 200

type Deleted = { VersionNumber: number; reason: Ec2.ResponseError | null }

/**
 * Each version for itself: the answer lists what went and what did not.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteLaunchTemplateVersions.html
 */
export const deleteLaunchTemplateVersions = defineEc2Action('DeleteLaunchTemplateVersions', {
  honours: ['LaunchTemplateId', 'LaunchTemplateName', 'Versions'],
  async run(ctx, input) {
    if (input.Versions.length === 0) throw missingParameter('LaunchTemplateVersion')
    if (input.Versions.length > deletedAtOnce)
      throw invalidParameterValue(`You can delete up to ${deletedAtOnce} versions in a single request.`)
    for (const text of input.Versions) versionBound('LaunchTemplateVersion', text)
    const { template, results } = await ctx.transaction(async (tx) => {
      const found = await requireLaunchTemplate(tx.db, ctx.caller.accountId, input)
      const deleted: Deleted[] = []
      for (const number of new Set(input.Versions.map(Number)))
        deleted.push({ VersionNumber: number, reason: await deleteVersion(tx, found, number) })
      tx.touch(found.id)
      return { template: found, results: deleted }
    })
    const named = { LaunchTemplateId: template.id, LaunchTemplateName: template.name }
    const of = ({ VersionNumber }: Deleted) => ({ ...named, VersionNumber })
    return {
      SuccessfullyDeletedLaunchTemplateVersions: results.filter(({ reason }) => !reason).map(of),
      UnsuccessfullyDeletedLaunchTemplateVersions: results
        .filter(({ reason }) => reason)
        .map((entry) => ({ ...of(entry), ResponseError: entry.reason! })),
    }
  },
})

async function deleteVersion(
  tx: Tx,
  template: LaunchTemplateTable,
  version: number,
): Promise<Ec2.ResponseError | null> {
  if (version === template.default_version) {
    const message = `The default version ${version} of a launch template cannot be deleted.`
    return { Code: 'unexpectedError', Message: message }
  }
  const { numDeletedRows } = await tx.db
    .deleteFrom('launch_template_version')
    .where('template_id', '=', template.id)
    .where('version', '=', version)
    .executeTakeFirst()
  if (numDeletedRows > 0n) return null
  return {
    Code: 'launchTemplateVersionDoesNotExist',
    Message: invalidLaunchTemplateIdVersionNotFound(template.id, String(version)).message,
  }
}
