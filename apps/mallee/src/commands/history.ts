import { adminCall } from '../admin-client.ts'
import { adminSocket } from '../host/daemons.ts'
import { requireLayout } from '../layout.ts'
import { parseCommand, print } from './command.ts'

interface Entry {
  readonly atMs: number
  readonly what: string
  readonly by: string
  readonly requestId: string | null
  readonly from: string | null
  readonly to: string | null
  readonly reason: string | null
}

/** What happened to a resource: when, what, by whom, under which request, from which state to which, and why. */
export async function runHistory(args: string[]): Promise<void> {
  const { stateDir, values, positionals } = parseCommand(
    args,
    { json: { type: 'boolean' } },
    { least: 1, most: 1, usage: 'history ID [--json]' },
  )
  const path = `/admin/v1/history/${encodeURIComponent(positionals[0]!)}`
  const answer = await adminCall<{ id: string; entries: Entry[] }>(
    adminSocket(requireLayout(stateDir)),
    'GET',
    path,
  )
  if (values.json) return print(JSON.stringify(answer))
  const { entries } = answer
  const width = (pick: (entry: Entry) => string) => Math.max(...entries.map((entry) => pick(entry).length))
  const [whats, names] = [width((entry) => entry.what), width((entry) => entry.by)]
  for (const entry of entries) {
    const moved = entry.to === null || entry.from === entry.to ? '' : `  ${entry.from} → ${entry.to}`
    const reason = entry.reason === null ? '' : `  (${entry.reason})`
    const request = entry.requestId ?? '-'.padEnd(36)
    print(
      `${new Date(entry.atMs).toISOString()}  ${entry.what.padEnd(whats)}  ${entry.by.padEnd(names)}  ${request}${moved}${reason}`,
    )
  }
}
