import { MalleeError } from '@mallee/base'
import { adminCall } from '../admin-client.ts'
import { adminSocket } from '../host/daemons.ts'
import { requireLayout } from '../layout.ts'
import { parseCommand, print } from './command.ts'

const usage = 'audit show [--account ID] [--after SEQUENCE] [--refused] [--json] | verify'

interface Line {
  readonly sequence: number
  readonly record: {
    readonly eventTime: string
    readonly eventSource: string
    readonly eventName: string
    readonly sourceIPAddress: string
    readonly recipientAccountId: string | null
    readonly errorCode?: string
    readonly userIdentity: { readonly userName?: string; readonly accessKeyId?: string }
  }
}

/** Who called what, of all accounts; `verify` ends with 1 where a line was taken away. */
export async function runAudit(args: string[]): Promise<number | void> {
  const { stateDir, values, positionals } = parseCommand(
    args,
    {
      ...{ account: { type: 'string' as const }, after: { type: 'string' as const } },
      ...{ refused: { type: 'boolean' as const }, json: { type: 'boolean' as const } },
    },
    { least: 1, most: 1, usage },
  )
  const socket = adminSocket(requireLayout(stateDir))
  if (positionals[0] === 'verify') {
    const { first, last, missing } = await adminCall<{ first: number; last: number; missing: number }>(
      socket,
      'GET',
      '/admin/v1/audit/gaps',
    )
    print(`lines ${first} to ${last}: ${missing === 0 ? 'none is missing' : `${missing} are missing`}`)
    return missing === 0 ? 0 : 1
  }
  if (positionals[0] !== 'show')
    throw new MalleeError({ code: 'Usage', publicMessage: `usage: ./mallee ${usage}` })
  const query = new URLSearchParams()
  if (values.account !== undefined) query.set('account', values.account)
  if (values.after !== undefined) query.set('after', values.after)
  if (values.refused) query.set('refused', 'true')
  for (const line of await adminCall<Line[]>(socket, 'GET', `/admin/v1/audit?${query}`))
    print(values.json ? JSON.stringify(line.record) : lineOf(line))
}

function lineOf({ sequence, record }: Line): string {
  const who = `${record.recipientAccountId ?? '-'.padEnd(12)} ${record.userIdentity.userName ?? record.userIdentity.accessKeyId ?? '-'}`
  const what = `${record.eventSource.replace('.amazonaws.com', '')}:${record.eventName}`
  return `${String(sequence).padStart(9)}  ${record.eventTime}  ${who}  ${what}  ${record.sourceIPAddress}  ${record.errorCode ?? 'ok'}`
}
