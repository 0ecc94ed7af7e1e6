import { existsSync, readdirSync } from 'node:fs'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { assert } from '@mallee/base'
import { Chapters, CloudClient, TestHost } from '@mallee/testkit'

/**
 * The Terraform gate: an unmodified terraform with the AWS provider, and no skip flag, makes a stack of everything on a
 * real cloud, finds nothing to change, and takes it away again. Where there is none of the two it says so and is skipped.
 */
const host = new TestHost()
const told = new Chapters()

/** A folder that holds providers as `terraform providers mirror` lays them out; TF_PLUGIN_MIRROR names it, or it is found. */
function pluginMirror(): string | null {
  const named = process.env['TF_PLUGIN_MIRROR']
  const holds = (dir: string) =>
    existsSync(dir) && readdirSync(dir).some((name) => existsSync(path.join(dir, name, 'hashicorp', 'aws')))
  if (named !== undefined) return holds(named) ? named : null
  const children = ['/opt', '/usr/share', '/usr/local/share'].filter(existsSync).flatMap((root) =>
    readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => path.join(root, entry.name)),
  )
  return children.find(holds) ?? null
}

const mirror = pluginMirror()
const installed = (process.env['PATH'] ?? '')
  .split(':')
  .some((dir) => existsSync(path.join(dir, 'terraform')))
if (!installed || mirror === null) {
  process.stdout.write(
    'SKIPPED: the Terraform gate, since there is no terraform with the AWS provider here\n',
  )
  process.exit(0)
}

const dir = await mkdtemp('/tmp/mltf-')
let environment: Record<string, string> = {}

async function terraform(...words: string[]): Promise<string> {
  return host.must('terraform', [`-chdir=${dir}`, ...words, '-no-color'], {
    env: environment,
    timeoutMs: 600_000,
  })
}

async function prepare(client: CloudClient): Promise<void> {
  for (const file of ['stack.tf', 'identity.tf'])
    await cp(path.join(import.meta.dirname, file), path.join(dir, file))
  await writeFile(
    path.join(dir, 'terraform.rc'),
    `provider_installation {\n  filesystem_mirror {\n    path = ${JSON.stringify(mirror)}\n  }\n}\n`,
  )
  const publicKey = (await host.must('ssh-keygen', ['-y', '-f', client.keyFile])).trim()
  environment = {
    ...client.environment,
    TF_CLI_CONFIG_FILE: path.join(dir, 'terraform.rc'),
    TF_IN_AUTOMATION: '1',
    CHECKPOINT_DISABLE: '1',
    TF_VAR_endpoint: `http://127.0.0.1:${host.portBase}`,
    TF_VAR_public_key: publicKey,
  }
  await terraform('init', '-input=false')
}

/** What is left of the stack, by its tag. */
async function tagged(client: CloudClient): Promise<string[]> {
  const found = await client.aws('ec2', 'describe-tags', '--filters', 'Name=tag:stack,Values=gate')
  const ended = new Set(
    (await client.guests()).filter((guest) => guest.state === 'terminated').map((guest) => guest.id),
  )
  return (found.Tags as { ResourceId: string }[])
    .map((tag) => tag.ResourceId)
    .filter((id) => !ended.has(id) && !/^(?:nat|pcx)-/.test(id)) // those are described for a while after their end
}

await host.open()
try {
  let client!: CloudClient
  const steps: Record<string, () => Promise<void>> = {
    async 'the cloud is up, and terraform begins'() {
      await host.mallee('up', '--detach', '--port-base', String(host.portBase))
      client = await CloudClient.connect(host)
      await prepare(client)
    },
    async 'the stack is applied'() {
      const said = await terraform('apply', '-auto-approve', '-input=false')
      assert(said.includes('Apply complete'), said.slice(-2_000))
    },
    async 'and there is nothing to change'() {
      const said = await terraform('plan', '-input=false', '-detailed-exitcode')
      assert(said.includes('No changes'), said.slice(-4_000))
    },
    async 'and it is destroyed, to the last thing'() {
      await terraform('destroy', '-auto-approve', '-input=false')
      const left = await tagged(client)
      assert(left.length === 0, `left: ${left.join(' ')}`)
    },
  }
  for (const [name, work] of Object.entries(steps)) if (!(await told.tell(name, work))) break
} finally {
  await host.close()
  await rm(dir, { recursive: true, force: true })
}
process.exit(told.end('terraform'))
