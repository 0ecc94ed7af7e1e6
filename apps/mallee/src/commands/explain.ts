import { adminCall } from '../admin-client.ts'
import { adminSocket } from '../host/daemons.ts'
import { requireLayout } from '../layout.ts'
import { explainRefusal } from './explain-refusal.ts'
import { parseCommand, print } from './command.ts'

interface Judgement {
  readonly nodeId: string
  readonly name: string
  readonly refusals: readonly string[]
  readonly fits: number
}
interface Explanation {
  readonly at: number
  readonly record: {
    readonly policy: string
    readonly taken: string
    readonly considered: number
    readonly placed: number
    readonly refusals: Record<string, number>
    readonly best: readonly Judgement[]
    readonly cursor: string | null
  }
  /** What its node says of it. */
  readonly domain: { readonly state: string | null; readonly message: string | null } | null
  readonly now: readonly Judgement[]
}

export async function runExplain(args: string[]): Promise<void> {
  const usage = 'explain (i-… | ENCODED-MESSAGE) [--json]'
  const { stateDir, values, positionals } = parseCommand(
    args,
    { json: { type: 'boolean' } },
    { least: 1, most: 1, usage },
  )
  const asked = positionals[0]!
  const socket = adminSocket(requireLayout(stateDir))
  if (!/^[a-z]+-[0-9a-f]+$/.test(asked)) return explainRefusal(socket, asked, values.json === true)
  const path = `/admin/v1/decisions/${encodeURIComponent(asked)}`
  const answer = await adminCall<Explanation>(socket, 'GET', path)
  if (values.json) return print(JSON.stringify(answer))
  const { record } = answer
  const name = (id: string) => record.best.find((node) => node.nodeId === id)?.name ?? id
  print(
    `${asked} was placed on ${name(record.taken)} (${record.taken}) at ${new Date(answer.at).toISOString()}`,
  )
  print(
    `by ${record.policy}${record.cursor ? `, after ${name(record.cursor)}` : ''}: ${record.considered} node(s) considered`,
  )
  if (answer.domain?.message) print(`its node says (${answer.domain.state}): ${answer.domain.message}`)
  for (const [reason, count] of Object.entries(record.refusals)) print(`  ${count} refused: ${reason}`)
  for (const node of record.best) print(`  then ${line(node)}`)
  for (const node of answer.now) print(`  now  ${line(node)}`)
}

function line(node: Judgement): string {
  return node.refusals.length > 0
    ? `${node.name}: refused, ${node.refusals.join(', ')}`
    : `${node.name}: room for ${node.fits}`
}
