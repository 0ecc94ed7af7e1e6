import { MalleeError } from '@mallee/base'
import { adminCall } from '../admin-client.ts'
import type { CloudCredentials } from '../cloud-client.ts'
import { adminSocket } from '../host/daemons.ts'
import { requireLayout } from '../layout.ts'
import { parseCommand, print } from './command.ts'

export async function runAccount(args: string[]): Promise<void> {
  const usage = 'account create NAME [--email E] [--json]'
  const { stateDir, values, positionals } = parseCommand(
    args,
    { email: { type: 'string' }, json: { type: 'boolean' } },
    { least: 2, most: 2, usage },
  )
  if (positionals[0] !== 'create')
    throw new MalleeError({ code: 'Usage', publicMessage: `usage: ./mallee ${usage}` })
  const layout = requireLayout(stateDir)
  const account = await adminCall<CloudCredentials>(adminSocket(layout), 'POST', '/admin/v1/accounts', {
    name: positionals[1],
    email: values.email ?? null,
  })
  if (values.json) return print(JSON.stringify(account))
  print(`account ${positionals[1]}: ${account.accountId}`)
  print(`export AWS_ACCESS_KEY_ID=${account.accessKeyId}`)
  print(`export AWS_SECRET_ACCESS_KEY=${account.secretAccessKey}`)
}
