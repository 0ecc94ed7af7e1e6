import { MalleeError } from '@mallee/base'
import { adminCall } from '../admin-client.ts'
import { adminSocket } from '../host/daemons.ts'
import { requireLayout } from '../layout.ts'
import { parseCommand, print } from './command.ts'

const usage = 'quota list ACCOUNT | set ACCOUNT NAME VALUE | requests | approve ID | deny ID [--json]'

interface Quota {
  readonly name: string
  readonly code: string
  readonly serviceCode: string
  readonly title: string
  readonly value: number
  readonly default: number
}

interface Request {
  readonly id: string
  readonly account_id: string
  readonly name: string
  readonly desired: number
  readonly status: string
  readonly created_at: number
}

/** What accounts may have: shown, set, and decided upon where they asked for more. */
export async function runQuota(args: string[]): Promise<void> {
  const { stateDir, values, positionals } = parseCommand(
    args,
    { json: { type: 'boolean' } },
    { least: 1, most: 4, usage },
  )
  const socket = adminSocket(requireLayout(stateDir))
  const [verb, first = '', name, value] = positionals
  const tell = <T>(answer: T, lines: (answer: T) => string[]) =>
    values.json ? print(JSON.stringify(answer)) : lines(answer).forEach(print)
  if (verb === 'list' && positionals.length === 2) {
    const path = `/admin/v1/quotas?account=${encodeURIComponent(first)}`
    return tell(await adminCall<Quota[]>(socket, 'GET', path), quotaLines)
  }
  if (verb === 'set' && positionals.length === 4) {
    const body = { accountId: first, name, value: Number(value) }
    const answer = await adminCall<typeof body>(socket, 'POST', '/admin/v1/quotas', body)
    return tell(answer, (set) => [`${set.accountId}: ${set.name} ${set.value}`])
  }
  if (verb === 'requests' && positionals.length === 1)
    return tell(await adminCall<Request[]>(socket, 'GET', '/admin/v1/quota-requests'), requestLines)
  if ((verb === 'approve' || verb === 'deny') && positionals.length === 2) {
    const path = `/admin/v1/quota-requests/${encodeURIComponent(first)}`
    const answer = await adminCall<Request>(socket, 'POST', path, { decision: verb })
    return tell([answer], requestLines)
  }
  throw new MalleeError({ code: 'Usage', publicMessage: `usage: ./mallee ${usage}` })
}

const quotaLines = (quotas: Quota[]): string[] =>
  quotas.map(({ name, value, default: usual, serviceCode, code, title }) => {
    const own = value === usual ? '' : ` (default ${usual})`
    return `${name.padEnd(30)} ${String(value).padStart(12)}  ${serviceCode}/${code}  ${title}${own}`
  })

const requestLines = (requests: Request[]): string[] =>
  requests.map(
    (row) =>
      `${row.id}  ${new Date(row.created_at).toISOString()}  ${row.account_id}  ${row.name} ${row.desired}  ${row.status}`,
  )
