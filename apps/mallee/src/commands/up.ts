import { existsSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { MalleeError, errorMessage, writeAtomically } from '@mallee/base'
import { adminCall, type CloudStatus } from '../admin-client.ts'
import { writeFormats } from '../backup/formats.ts'
import { AwsClient, adminCredentials } from '../cloud-client.ts'
import { ensureFirstInstance } from '../first-instance.ts'
import { adminSocket } from '../host/daemons.ts'
import { openMachine, requireMachine, type Machine } from '../host/machine.ts'
import { giveJoinTokens } from '../join-agents.ts'
import {
  choicesFile,
  defaultPortBase,
  defaultPublicPool,
  layoutOf,
  readChoices,
  type CloudChoices,
  type Layout,
} from '../layout.ts'
import { ensureStarterImage } from '../starter-image.ts'
import { refuseUnlessCurrent, startDaemons, startSupervisor } from '../start-daemons.ts'
import { waitFor } from '../wait-for.ts'
import { parseCommand, print, step } from './command.ts'
import { downMarker, stopAll } from './down.ts'
import { setup } from './setup.ts'

const readyMs = 180_000
const watchEveryMs = 500

export async function runUp(args: string[]): Promise<void> {
  const options = {
    detach: { type: 'boolean' },
    'no-instance': { type: 'boolean' },
    'one-process': { type: 'boolean' },
    legacy: { type: 'boolean' },
    'no-legacy': { type: 'boolean' },
    'port-base': { type: 'string' },
    'public-pool': { type: 'string' },
    region: { type: 'string' },
    zones: { type: 'string' },
  } as const
  const usage =
    'up [--detach] [--no-instance] [--one-process] [--port-base N] [--public-pool CIDR] [--region R] [--zones A,B] [--legacy | --no-legacy]'
  const { stateDir, values } = parseCommand(args, options, { least: 0, most: 0, usage })
  await setup()
  const present = openMachine(stateDir)
  if (present) refuseUnlessCurrent(stateDir) // before its choices are touched
  if (present?.joined) return upAgent(present, values.detach === true)
  const layout = layoutOf(stateDir, await keepChoices(stateDir, values))
  const machine = requireMachine(stateDir)
  if (!present) await writeFormats(stateDir)
  await startDaemons(machine)
  await waitReady(layout)
  step(`the cloud is ready at http://${layout.doorAddress}:${layout.ports.door}`)
  if (!values['no-instance']) {
    const client = new AwsClient(layout, await adminCredentials(layout))
    const imageId = await ensureStarterImage(layout, client)
    const login = await ensureFirstInstance(layout, client, imageId)
    step(`the first instance is ${login.instanceId}; log in with`)
    print(login.sshLine)
  }
  if (!values.detach) await stayUntilInterrupted(machine)
}

/** On a machine that joined a cloud elsewhere: its own daemons, after a reboot or `down`. */
async function upAgent(machine: Machine, detach: boolean): Promise<void> {
  await startDaemons(machine)
  const { kind, name, cloudUrl } = machine.joined!
  step(`${kind} ${name} of the cloud at ${cloudUrl} is up`)
  if (!detach) await stayUntilInterrupted(machine)
}

/** What was chosen at the first `up` holds; asking for something else afterwards is refused rather than half done. */
async function keepChoices(
  stateDir: string,
  values: {
    'one-process'?: boolean | undefined
    legacy?: boolean | undefined
    'no-legacy'?: boolean | undefined
    'port-base'?: string | undefined
    'public-pool'?: string | undefined
    region?: string | undefined
    zones?: string | undefined
  },
): Promise<CloudChoices> {
  const present = readChoices(stateDir)
  const portBase = Number(values['port-base'] ?? present?.portBase ?? defaultPortBase)
  if (!Number.isInteger(portBase) || portBase < 1024 || portBase > 65_532) {
    throw new MalleeError({
      code: 'BadPortBase',
      publicMessage: '--port-base must be a number from 1024 to 65532.',
    })
  }
  const region = values.region ?? present?.region ?? 'us-east-1'
  const choices: CloudChoices = {
    portBase,
    publicPool: values['public-pool'] ?? present?.publicPool ?? defaultPublicPool(portBase),
    region,
    availabilityZones: values.zones?.split(',') ?? present?.availabilityZones ?? [`${region}a`],
    ...((values['one-process'] ?? present?.oneProcess) ? { oneProcess: true } : {}),
    ...(present?.nodeName === undefined ? {} : { nodeName: present.nodeName }),
    ...(allowsLegacy(values, present) ? { legacy: true } : {}),
  }
  if (present && !isSameOrMoreZones(present, choices)) {
    throw new MalleeError({
      code: 'ChoicesDiffer',
      publicMessage: `The cloud in ${stateDir} was made with other settings: ${JSON.stringify(present)}.`,
    })
  }
  layoutOf(stateDir, choices) // refuses a pool that is none, before anything is made
  if (!present) await refuseForeignFolder(stateDir)
  await mkdir(stateDir, { recursive: true, mode: 0o755 })
  await writeAtomically(choicesFile(stateDir), `${JSON.stringify(choices)}\n`, 0o644)
  return choices
}

/** Signature Version 2 is allowed to all, or no longer, from the next start of the cloud controller on. */
function allowsLegacy(
  values: { legacy?: boolean | undefined; 'no-legacy'?: boolean | undefined },
  present: CloudChoices | null,
): boolean {
  if (values.legacy && values['no-legacy'])
    throw new MalleeError({ code: 'BadOptions', publicMessage: 'Say --legacy or --no-legacy, not both.' })
  return values.legacy ?? (values['no-legacy'] ? false : (present?.legacy ?? false))
}

/** Zones may be added to a cloud, behind those that it has, and old signatures allowed; everything else is fixed. */
function isSameOrMoreZones(present: CloudChoices, wanted: CloudChoices): boolean {
  const kept = wanted.availabilityZones.slice(0, present.availabilityZones.length)
  const fixed = ({ legacy: _legacy, ...others }: CloudChoices) => JSON.stringify(others)
  return fixed({ ...wanted, availabilityZones: kept }) === fixed(present)
}

/** The state folder goes whole at `destroy`: one that holds anything before the first `up` is somebody's. */
async function refuseForeignFolder(stateDir: string): Promise<void> {
  const names = await readdir(stateDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const foreign = names.filter((name) => name !== 'lost+found')
  if (foreign.length > 0) {
    throw new MalleeError({
      code: 'FolderInUse',
      publicMessage: `${stateDir} holds no cloud but is not empty (${foreign.slice(0, 3).join(', ')}); choose another --state DIR.`,
    })
  }
}

export async function waitReady(layout: Layout): Promise<void> {
  const logs = `see ${layout.file('log')}`
  await waitFor(() => adminCall<CloudStatus>(adminSocket(layout), 'GET', '/admin/v1/status'), {
    timeoutMs: readyMs,
    failure: `the cloud controller did not come up; ${logs}`,
  })
  await giveJoinTokens(layout)
  step('waiting for the node (it probes QEMU at its first start)')
  await waitFor(
    async () => (await adminCall<CloudStatus>(adminSocket(layout), 'GET', '/admin/v1/status')).ready,
    {
      timeoutMs: readyMs,
      failure: `the cloud did not become ready; ${logs} and ./mallee status`,
    },
  )
}

/** In the foreground the command watches the supervisor, which watches everything else, until Ctrl-C or `down`. */
export async function stayUntilInterrupted(machine: Machine): Promise<void> {
  step('press Ctrl-C to stop the daemons (guests go on); --detach leaves them running')
  let interrupted = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => (interrupted = true))
  while (!interrupted) {
    await new Promise((resolve) => setTimeout(resolve, watchEveryMs))
    if (existsSync(downMarker(machine)) || !openMachine(machine.stateDir)) return
    await startSupervisor(machine).catch((error: unknown) => step(`no supervisor: ${errorMessage(error)}`))
  }
  step('stopping the daemons')
  await stopAll(machine)
}
