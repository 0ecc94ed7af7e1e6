import { MalleeError } from '@mallee/base'
import { adminCall } from '../admin-client.ts'
import { adminSocket } from '../host/daemons.ts'
import { requireLayout } from '../layout.ts'
import { parseCommand, print } from './command.ts'

const usage = 'keys status | rotate | retire [--json]'

interface KeyStatus {
  readonly id: string
  readonly seals: boolean
  readonly secrets: number
}

/** The keys that wrap the record's secrets. */
export async function runKeys(args: string[]): Promise<void> {
  const { stateDir, values, positionals } = parseCommand(
    args,
    { json: { type: 'boolean' } },
    { least: 1, most: 1, usage },
  )
  const socket = adminSocket(requireLayout(stateDir))
  const [verb] = positionals
  if (verb !== 'status' && verb !== 'rotate' && verb !== 'retire')
    throw new MalleeError({ code: 'Usage', publicMessage: `usage: ./mallee ${usage}` })
  const answer =
    verb === 'status'
      ? await adminCall<KeyStatus[]>(socket, 'GET', '/admin/v1/keys')
      : await adminCall<KeyStatus[]>(socket, 'POST', `/admin/v1/keys/${verb}`, {})
  if (values.json) return print(JSON.stringify(answer))
  for (const { id, seals, secrets } of answer)
    print(`${id.padEnd(6)} ${String(secrets).padStart(8)} secret(s)${seals ? '  seals' : ''}`)
}
