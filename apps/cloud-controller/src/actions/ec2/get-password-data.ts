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

const longestPassword = 2048

/**
 * The last one: a guest may be given a new key and begin anew. The text is the guest's own, so it is searched by plain
 * means that no text makes slow.
 */
function passwordIn(text: string): string {
  const end = text.lastIndexOf('</Password>')
  const start = text.lastIndexOf('<Password>', end)
  if (end < 0 || start < 0) return ''
  const inside = text.slice(start + '<Password>'.length, end)
  if (inside.length > 2 * longestPassword) return ''
  const password = inside.split(/\s/).join('')
  return password.length <= longestPassword && /^[A-Za-z0-9+/]+={0,2}$/.test(password) ? password : ''
}
