import { incorrectInstanceState, unsupportedOperation } from '@mallee/ec2-api'
import { askNode } from '../ask-node.ts'
import { defineEc2Action } from '../define-action.ts'
import type { Reader } from '../../store/record.ts'

/**
 * The guest's screen as a JPEG, taken by its hypervisor when asked.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleScreenshot.html
 */
export const getConsoleScreenshot = defineEc2Action('GetConsoleScreenshot', {
  honours: ['InstanceId'],
  only: { WakeUp: [false] },
  async run(ctx, input) {
    const read = (db: Reader) =>
      db.selectFrom('screenshot').selectAll().where('instance_id', '=', input.InstanceId).executeTakeFirst()
    await askNode(ctx, input.InstanceId, {
      counter: 'screenshot_count',
      answered: async (db) => (await read(db))?.count ?? null,
    })
    const known = await ctx.read(read)
    if (!known) throw incorrectInstanceState(`The instance '${input.InstanceId}' shows no screen.`)
    if (known.image === '') throw unsupportedOperation('GetConsoleScreenshot')
    return { InstanceId: input.InstanceId, ImageData: known.image }
  },
})
