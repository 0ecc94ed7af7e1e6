import { lookup } from 'node:dns/promises'
import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { MalleeError, writeAtomically } from '@mallee/base'
import { joinCloud, loadIdentity, parseJoinToken, type AgentIdentity } from '@mallee/agent-kit'
import { writeFormats } from '../backup/formats.ts'
import { joinedFile, ownLibvirtSocket, readJoined, type Joined } from '../host/joined.ts'
import { openMachine, requireMachine } from '../host/machine.ts'
import { linkTowards, reachableAddress } from '../host/own-address.ts'
import { defaultPortBase } from '../layout.ts'
import { startDaemons } from '../start-daemons.ts'
import { waitFor } from '../wait-for.ts'
import { parseCommand, step } from './command.ts'
import { setup } from './setup.ts'
import { stayUntilInterrupted } from './up.ts'

const tokenMs = 180_000

const usage =
  'agent join URL (--token T | --token-file FILE) [--name N] [--uplink LINK] [--walrus URL] [--port P] [--no-start | --foreground]'

/** Makes this machine one of a cloud's: buys its certificate, writes its configuration, starts its daemons. */
export async function runAgentJoin(args: string[]): Promise<void> {
  const options = {
    token: { type: 'string' },
    'token-file': { type: 'string' },
    name: { type: 'string' },
    uplink: { type: 'string' },
    walrus: { type: 'string' },
    port: { type: 'string' },
    'no-start': { type: 'boolean' },
    foreground: { type: 'boolean' },
  } as const
  const { stateDir, values, positionals } = parseCommand(args, options, { least: 1, most: 1, usage })
  const cloud = cloudUrl(positionals[0]!)
  // In a container the same words are said at every start.
  if (values.foreground && readJoined(stateDir)) return runForeground(stateDir)
  const token = values.token ?? (await tokenFrom(values['token-file'], values.foreground === true))
  const { kind } = parseJoinToken(token)
  const walrusPort = portFrom(values.port)
  const name =
    values.name ??
    hostname()
      .split('.')[0]!
      .replaceAll(/[^A-Za-z0-9._-]/g, '-')
  await refuseOccupied(stateDir)
  await setup([], { client: false })
  const uplink = kind === 'node' ? (values.uplink ?? (await uplinkTowards(cloud))) : null
  const runsLibvirtd = kind === 'node' && !existsSync(ownLibvirtSocket)
  if (runsLibvirtd && existsSync('/run/systemd/system'))
    throw refusal('libvirtd does not run here: systemctl enable --now libvirtd')
  const agentDir = path.join(stateDir, 'agent')
  await mkdir(stateDir, { recursive: true, mode: 0o711 })
  const identity =
    (await identityOfInterruptedJoin(agentDir, { kind, name, url: cloud.origin })) ??
    (await joinCloud({ url: cloud.origin, token, name, dir: agentDir }))
  await writeJoined(stateDir, identity, {
    walrusUrl: values.walrus ?? `https://${cloud.hostname}:${Number(cloud.port) + 1}`,
    uplink,
    runsLibvirtd,
    walrusPort,
    ...(kind === 'storage' ? { address: await reachableAddress() } : {}),
  })
  step(`this machine is ${kind} ${identity.name} of ${cloud.origin}, zone ${identity.availabilityZone}`)
  if (values.foreground) return runForeground(stateDir)
  if (values['no-start']) return step(`./mallee up --detach --state ${stateDir} starts it`)
  await startDaemons(requireMachine(stateDir))
  step('its daemons are started; ./mallee agent list on the cloud shows it')
}

/** The identity that an interrupted join has bought; one of another kind, name or cloud is not what is asked for now. */
async function identityOfInterruptedJoin(
  dir: string,
  asked: { kind: string; name: string; url: string },
): Promise<AgentIdentity | null> {
  const identity = await loadIdentity(dir)
  if (!identity) return null
  const { kind, name, cloudUrl } = identity
  if (kind === asked.kind && name === asked.name && cloudUrl === asked.url) return identity
  throw refusal(
    `${dir} holds the identity of ${kind} ${name} of ${cloudUrl}; ./mallee agent forget it there, and remove that folder.`,
  )
}

async function runForeground(stateDir: string): Promise<void> {
  const machine = requireMachine(stateDir)
  await startDaemons(machine)
  await stayUntilInterrupted(machine)
}

async function writeJoined(
  stateDir: string,
  identity: AgentIdentity,
  local: Pick<Joined, 'walrusUrl' | 'uplink' | 'runsLibvirtd' | 'walrusPort' | 'address'>,
): Promise<void> {
  const joined: Joined = {
    version: 1,
    kind: identity.kind,
    name: identity.name,
    availabilityZone: identity.availabilityZone,
    region: identity.region,
    cloudUrl: identity.cloudUrl,
    publicPool: identity.publicPool ?? '',
    ...local,
  }
  await writeFormats(stateDir)
  await writeAtomically(joinedFile(stateDir), `${JSON.stringify(joined, null, 2)}\n`)
}

const refusal = (publicMessage: string) => new MalleeError({ code: 'CannotJoin', publicMessage })

function cloudUrl(text: string): URL {
  const url = URL.parse(text)
  if (url?.protocol !== 'https:' || url.port === '')
    throw refusal(`${text} is no agents' door; it looks like https://ADDRESS:8774.`)
  return url
}

function portFrom(text: string | undefined): number {
  if (text === undefined) return defaultPortBase + 2
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw refusal('--port must be a number from 1 to 65535.')
  return port
}

async function tokenFrom(file: string | undefined, wait: boolean): Promise<string> {
  if (file === undefined) throw refusal(`A token is needed.\nusage: ./mallee ${usage}`)
  const failure = `there is no token in ${file}`
  return waitFor(async () => (await readFile(file, 'utf8').catch(() => '')).trim(), {
    timeoutMs: wait ? tokenMs : 0,
    failure,
  })
}

/** A join that was interrupted may be said again; anything else in the folder is somebody's. */
async function refuseOccupied(stateDir: string): Promise<void> {
  const machine = openMachine(stateDir)
  if (machine?.cloud) throw refusal(`${stateDir} holds a cloud of its own; choose another --state DIR.`)
  if (machine?.joined)
    throw refusal(
      `This machine is ${machine.joined.kind} ${machine.joined.name} of ${machine.joined.cloudUrl} already.`,
    )
  const names = await readdir(stateDir).catch(() => [])
  const foreign = names.filter((name) => name !== 'agent' && name !== 'lost+found')
  if (foreign.length > 0)
    throw refusal(`${stateDir} is not empty (${foreign.slice(0, 3).join(', ')}); choose another --state DIR.`)
}

async function uplinkTowards(cloud: URL): Promise<string> {
  const { address } = await lookup(cloud.hostname, { family: 4 }).catch(() => {
    throw refusal(`${cloud.hostname} cannot be resolved.`)
  })
  const link = await linkTowards(address)
  if (link === null || link === 'lo')
    throw refusal(`This machine has no way to ${address}; --uplink LINK names the link that guests use.`)
  return link
}
