import { adminCredentials } from '../cloud-client.ts'
import { requireLayout } from '../layout.ts'
import { run } from '../program.ts'
import { parseCommand, print } from './command.ts'

/** Export lines for any shell; clients too old for AWS_ENDPOINT_URL get an alias with --endpoint-url besides. */
export async function runEnv(args: string[]): Promise<void> {
  const { stateDir, values } = parseCommand(
    args,
    { tls: { type: 'boolean' } },
    { least: 0, most: 0, usage: 'env [--tls]' },
  )
  const layout = requireLayout(stateDir)
  const credentials = await adminCredentials(layout)
  const endpoint = `${values.tls ? 'https' : 'http'}://${layout.doorAddress}:${layout.ports.door}`
  print(`export AWS_ACCESS_KEY_ID=${credentials.accessKeyId}`)
  print(`export AWS_SECRET_ACCESS_KEY=${credentials.secretAccessKey}`)
  print(`export AWS_DEFAULT_REGION=${layout.choices.region}`)
  print(`export AWS_REGION=${layout.choices.region}`)
  print(`export AWS_ENDPOINT_URL=${endpoint}`)
  if (values.tls) print(`export AWS_CA_BUNDLE=${layout.file('cloud', 'pki', 'authority.crt')}`)
  const version = await run('aws', ['--version']).catch(() => '')
  const [, major, minor] = /aws-cli\/(\d+)\.(\d+)/.exec(version) ?? []
  if (major !== undefined && !knowsEndpointVariable(Number(major), Number(minor))) {
    print(`# aws-cli ${major}.${minor} is older than 2.13 and ignores AWS_ENDPOINT_URL:`)
    print(`alias aws='aws --endpoint-url ${endpoint}'`)
  }
}

/** AWS_ENDPOINT_URL came with aws-cli 2.13 and 1.29. */
function knowsEndpointVariable(major: number, minor: number): boolean {
  return major > 2 || (major === 2 && minor >= 13) || (major === 1 && minor >= 29)
}
