import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { MalleeError } from '@mallee/base'
import { adminCall, type CloudStatus, type HeldByAgent } from '../admin-client.ts'
import { adminSocket } from '../host/daemons.ts'
import { reachableAddress } from '../host/own-address.ts'
import { requireLayout, type Layout } from '../layout.ts'
import { run } from '../program.ts'
import { runAgentJoin } from './agent-join.ts'
import { parseCommand, print, step } from './command.ts'

const usage = `agent token --kind node|storage|walrus --zone Z [--address A] [--json]
       ./mallee agent join URL --token T [--name N]   (on the other machine)
       ./mallee agent list [--json] | enable NAME | disable NAME | drain NAME [--wait] | forget NAME [--fenced]`

/** Longer than silence takes to be certain with polls of the usual length. */
const silenceSeconds = 12

/** The machines of a cloud: admit, list, empty, and give up. */
export async function runAgent(args: string[]): Promise<number | void> {
  const [verb = '', ...rest] = args
  switch (verb) {
    case 'token':
      return giveToken(rest)
    case 'join':
      return runAgentJoin(rest)
    case 'list':
      return list(rest)
    case 'enable':
    case 'disable':
      return say(verb, rest)
    case 'drain':
      return drain(rest)
    case 'forget':
      return forget(rest)
    default:
      throw new MalleeError({ code: 'Usage', publicMessage: `usage: ./mallee ${usage}` })
  }
}

async function giveToken(args: string[]): Promise<void> {
  const options = {
    kind: { type: 'string' },
    zone: { type: 'string' },
    address: { type: 'string' },
    json: { type: 'boolean' },
  } as const
  const { stateDir, values } = parseCommand(args, options, { least: 0, most: 0, usage })
  const layout = requireLayout(stateDir)
  const zone = values.zone ?? layout.choices.availabilityZones[0]
  const { token } = await adminCall<{ token: string }>(adminSocket(layout), 'POST', '/admin/v1/tokens', {
    kind: values.kind ?? 'node',
    availabilityZone: zone,
  })
  const url = `https://${values.address ?? (await reachableAddress())}:${layout.ports.agents}`
  const line = `./mallee agent join ${url} --token ${token}`
  if (values.json) return print(JSON.stringify({ token, url, command: line }))
  if ((values.kind ?? 'node') === 'node' && !forwards())
    step(
      'guests here and on other machines reach one another once this machine forwards: sysctl -w net.ipv4.ip_forward=1',
    )
  step('say this on the machine that joins, as root, within a day:')
  print(line)
}

/** Whether this machine passes packets on between its network and its own node. */
const forwards = () => readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '1'

async function list(args: string[]): Promise<void> {
  const { stateDir, values } = parseCommand(args, { json: { type: 'boolean' } }, { least: 0, most: 0, usage })
  const { agents } = await adminCall<CloudStatus>(
    adminSocket(requireLayout(stateDir)),
    'GET',
    '/admin/v1/status',
  )
  if (values.json) return print(JSON.stringify(agents))
  for (const agent of agents) {
    const seen =
      agent.silentSinceMs === null ? 'here' : `silent since ${new Date(agent.silentSinceMs).toISOString()}`
    const problems = (agent.fingerprint?.['problems'] as string[] | undefined) ?? []
    print(
      `${agent.id}  ${agent.kind.padEnd(8)} ${agent.name.padEnd(16)} ${agent.availabilityZone}  ${agent.state}, ${seen}${problems.length > 0 ? `; ${problems.join('; ')}` : ''}`,
    )
  }
}

async function say(verb: 'enable' | 'disable', args: string[]): Promise<void> {
  const { stateDir, positionals } = parseCommand(args, {}, { least: 1, most: 1, usage })
  const held = await ask(requireLayout(stateDir), positionals[0]!, verb)
  step(`${held.kind} ${held.name} is ${verb}d; ${held.instances.length} instance(s) on it`)
}

/** No new launches, and the truth of what still runs; with --wait, until nothing does. */
async function drain(args: string[]): Promise<number> {
  const options = { wait: { type: 'boolean' }, json: { type: 'boolean' } } as const
  const { stateDir, values, positionals } = parseCommand(args, options, { least: 1, most: 1, usage })
  const layout = requireLayout(stateDir)
  let held = await ask(layout, positionals[0]!, 'drain')
  step(`${held.kind} ${held.name} takes nothing new`)
  while (values.wait && held.instances.length > 0) {
    await new Promise((resolve) => setTimeout(resolve, 1000))
    held = await adminCall<HeldByAgent>(
      adminSocket(layout),
      'GET',
      `/admin/v1/agents/${encodeURIComponent(held.id)}`,
    )
  }
  if (values.json) print(JSON.stringify(held))
  else
    for (const instance of held.instances) print(`${instance.id}  ${instance.state}  ${instance.accountId}`)
  if (held.instances.length === 0) step('nothing runs on it any more')
  return held.instances.length === 0 ? 0 : 3
}

/**
 * The operator's word that a machine is dead. Executables in etc/fence.d cut it off first, each with kind, name, id and
 * last known address; one that fails stops everything. Without any, --fenced is the operator's own word for it.
 */
async function forget(args: string[]): Promise<void> {
  const { stateDir, values, positionals } = parseCommand(
    args,
    { fenced: { type: 'boolean' } },
    { least: 1, most: 1, usage },
  )
  const layout = requireLayout(stateDir)
  const socket = adminSocket(layout)
  const name = encodeURIComponent(positionals[0]!)
  const look = () => adminCall<HeldByAgent>(socket, 'GET', `/admin/v1/agents/${name}`)
  let held = await look()
  // One that just fell silent, or was not yet heard by a cloud that just started, is given its time to speak.
  for (let tries = 0; held.answers === true && tries < silenceSeconds; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1000))
    held = await look()
  }
  if (held.answers === true)
    throw new MalleeError({
      code: 'StillHere',
      publicMessage: `${held.kind} ${held.name} still answers: it is neither fenced nor forgotten. Stop it on its machine first.`,
    })
  const fences = held.instances.length > 0 ? await fenceHooks(layout) : []
  for (const fence of fences) {
    step(`fencing with ${path.basename(fence)}`)
    await run(fence, [held.kind, held.name, held.id, held.fingerprint?.address ?? ''])
  }
  await adminCall(socket, 'POST', `/admin/v1/agents/${name}/forget`, {
    fenced: values.fenced === true || fences.length > 0,
  })
  step(`${held.kind} ${held.name} is forgotten; ${held.instances.length} instance(s) are given up`)
  for (const instance of held.instances) print(`${instance.id}  terminated`)
}

async function fenceHooks(layout: Layout): Promise<string[]> {
  const dir = layout.file('etc', 'fence.d')
  const names = await readdir(dir).catch(() => [])
  return names.toSorted().map((name) => path.join(dir, name))
}

function ask(layout: Layout, name: string, verb: string): Promise<HeldByAgent> {
  return adminCall<HeldByAgent>(
    adminSocket(layout),
    'POST',
    `/admin/v1/agents/${encodeURIComponent(name)}/${verb}`,
  )
}
