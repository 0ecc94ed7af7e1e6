import { MalleeError } from '@mallee/base'
import { adminCall, adminStream } from '../admin-client.ts'
import { adminSocket } from '../host/daemons.ts'
import { requireLayout } from '../layout.ts'
import { parseCommand, print } from './command.ts'

const usage =
  'usage [--from YYYY-MM-DD] [--to YYYY-MM-DD] [--by account|user|day|resource|tag:KEY] [--account ID] [--format table|csv|json|cur] [--tag KEY]...'

interface Report {
  readonly by: string
  readonly fromMs: number
  readonly toMs: number
  readonly currency: string
  readonly lines: readonly {
    readonly of: string
    readonly usageType: string
    readonly unit: string
    readonly amount: number
    readonly cost: number
  }[]
}

/** A month of a large cloud is read through. */
const patienceMs = 300_000

/** What was used from day to day (UTC, both included), and what it costs; `cur` is the whole bill as AWS's report has it. */
export async function runUsage(args: string[]): Promise<void> {
  const text = { type: 'string' } as const
  const { stateDir, values } = parseCommand(
    args,
    { from: text, to: text, by: text, account: text, format: text, tag: { type: 'string', multiple: true } },
    { least: 0, most: 0, usage },
  )
  const { from, to, by, account, format = 'table', tag = [] } = values
  const socket = adminSocket(requireLayout(stateDir))
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries({ from, to, by, account }))
    if (value !== undefined) query.set(name, value)
  if (format === 'cur') {
    query.set('tags', tag.join(','))
    return adminStream(socket, `/admin/v1/cost-and-usage?${query}`, process.stdout)
  }
  const show = shows[format]
  if (!show) throw new MalleeError({ code: 'Usage', publicMessage: `usage: ./mallee ${usage}` })
  show(await adminCall<Report>(socket, 'GET', `/admin/v1/usage?${query}`, undefined, patienceMs))
}

const shows: Readonly<Record<string, (report: Report) => void>> = {
  json: (report) => print(JSON.stringify(report)),
  csv({ by, currency, lines }) {
    print([by, 'usageType', 'amount', 'unit', 'cost', 'currency'].map(quoted).join(','))
    for (const { of, usageType, amount, unit, cost } of lines)
      print([of, usageType, String(amount), unit, String(cost), currency].map(quoted).join(','))
  },
  table({ by, currency, fromMs, toMs, lines }) {
    const day = (atMs: number) => new Date(atMs).toISOString().slice(0, 10)
    print(`${day(fromMs)} to ${day(toMs - 1)}, by ${by}`)
    const width = Math.max(...lines.map(({ of }) => of.length), by.length)
    for (const { of, usageType, amount, unit, cost } of lines)
      print(
        `${of.padEnd(width)}  ${usageType.padEnd(28)} ${amount.toFixed(3).padStart(16)} ${unit.padEnd(6)} ${cost.toFixed(4).padStart(14)} ${currency}`,
      )
    const total = lines.reduce((sum, { cost }) => sum + cost, 0)
    print(
      `${'total'.padEnd(width)}  ${''.padEnd(28)} ${''.padStart(16)} ${''.padEnd(6)} ${total.toFixed(4).padStart(14)} ${currency}`,
    )
  },
}

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
