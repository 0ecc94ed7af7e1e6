import { readConsole } from '../ask-node.ts'
import { defineEc2Action } from '../define-action.ts'

/**
 * The console as it is now, whether `Latest` is asked for or not: the node is asked each time.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html
 */
export const getConsoleOutput = defineEc2Action('GetConsoleOutput', {
  honours: ['InstanceId'],
  only: { Latest: [true, false] },
  async run(ctx, input) {
    const known = await readConsole(ctx, input.InstanceId)
    return {
      InstanceId: input.InstanceId,
      Timestamp: new Date(known?.takenAtMs ?? ctx.nowMs),
      ...(known ? { Output: known.output } : {}),
    }
  },
})
