import { newUuid } from '@mallee/base'
import { invalidParameterCombination, invalidParameterValue } from '@mallee/ec2-api'
import { defineEc2Action, type ActionTransaction } from '../define-action.ts'
import { requireInstances } from '../require-instances.ts'

const longestDescription = 5000
/** Of one instance; older reports make room. */
const mostReports = 100

/**
 * What a user has to say of an instance: kept for the cloud's admin, who reads it in the instance's history. It changes
 * no status, as on AWS. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReportInstanceStatus.html
 */
export const reportInstanceStatus = defineEc2Action('ReportInstanceStatus', {
  honours: ['Instances', 'Status', 'ReasonCodes', 'StartTime', 'EndTime', 'Description'],
  run(ctx, input) {
    const startMs = input.StartTime?.getTime() ?? null
    const endMs = input.EndTime?.getTime() ?? null
    if (startMs !== null && endMs !== null && endMs < startMs)
      throw invalidParameterCombination('EndTime must not be before StartTime.')
    if ((input.Description?.length ?? 0) > longestDescription)
      throw invalidParameterValue(`The description has at most ${longestDescription} characters.`)
    return ctx.transaction(async (tx) => {
      for (const instance of await requireInstances(ctx, tx.db, input.Instances)) {
        await tx.db
          .insertInto('status_report')
          .values({
            id: newUuid(ctx.random),
            account_id: ctx.caller.accountId,
            instance_id: instance.id,
            at: ctx.nowMs,
            status: input.Status,
            reasons: JSON.stringify(input.ReasonCodes),
            description: input.Description ?? null,
            start_time: startMs,
            end_time: endMs,
          })
          .execute()
        await keepNewest(tx, instance.id)
        tx.touch(instance.id)
      }
      return {}
    })
  },
})

async function keepNewest(tx: ActionTransaction, instanceId: string): Promise<void> {
  const surplus = await tx.db
    .selectFrom('status_report')
    .select('id')
    .where('instance_id', '=', instanceId)
    .orderBy('at', 'desc')
    .orderBy('id')
    .offset(mostReports)
    .limit(mostReports)
    .execute()
  for (const { id } of surplus) await tx.db.deleteFrom('status_report').where('id', '=', id).execute()
}
