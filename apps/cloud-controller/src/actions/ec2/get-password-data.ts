import { readConsole } from '../ask-node.ts'
import { defineEc2Action } from '../define-action.ts'

/**
 * The password that a Windows guest encrypted with its key pair and wrote to its serial console, as EC2's own agents
 * do: `<Password>BASE64</Password>`. Empty until the guest has written one, and always for others.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetPasswordData.html
 */
export const getPasswordData = defineEc2Action('GetPasswordData', {
  honours: ['InstanceId'],
  async run(ctx, input) {
    const known = await readConsole(ctx, input.InstanceId)
    return {
      InstanceId: input.InstanceId,
      Timestamp: new Date(known?.takenAtMs ?? ctx.nowMs),
      PasswordData: passwordIn(Buffer.from(known?.output ?? '', 'base64').toString('latin1')),
    }
  },
})

/** The last one: a guest may be given a new key and begin anew. */
function passwordIn(text: string): string {
  const found = [...text.matchAll(/<Password>\s*([A-Za-z0-9+/=\s]{16,2048}?)\s*<\/Password>/g)].at(-1)
  return found?.[1]?.replaceAll(/\s/g, '') ?? ''
}
