import { MalleeError } from '@mallee/base'
import { adminCall, type CloudStatus } from '../admin-client.ts'
import { adminSocket } from '../host/daemons.ts'
import { requireLayout } from '../layout.ts'
import { parseCommand, print } from './command.ts'

export async function runAgent(args: string[]): Promise<void> {
  const usage = 'agent list [--json]'
  const { stateDir, values, positionals } = parseCommand(
    args,
    { json: { type: 'boolean' } },
    { least: 1, most: 1, usage },
  )
  if (positionals[0] !== 'list')
    throw new MalleeError({ code: 'Usage', publicMessage: `usage: ./mallee ${usage}` })
  const { agents } = await adminCall<CloudStatus>(
    adminSocket(requireLayout(stateDir)),
    'GET',
    '/admin/v1/status',
  )
  if (values.json) return print(JSON.stringify(agents))
  for (const agent of agents) {
    const seen =
      agent.silentSinceMs === null ? 'here' : `silent since ${new Date(agent.silentSinceMs).toISOString()}`
    print(
      `${agent.id}  ${agent.kind.padEnd(8)} ${agent.name.padEnd(16)} ${agent.availabilityZone}  ${agent.state}, ${seen}`,
    )
  }
}
