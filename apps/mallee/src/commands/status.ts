import { adminCall, type CloudStatus } from '../admin-client.ts'
import { adminSocket } from '../host/daemons.ts'
import { openMachine, type Machine } from '../host/machine.ts'
import { daemonStates } from '../host/supervisor.ts'
import { parseCommand, print } from './command.ts'

export async function runStatus(args: string[]): Promise<number> {
  const { stateDir, values } = parseCommand(
    args,
    { json: { type: 'boolean' } },
    { least: 0, most: 0, usage: 'status [--json]' },
  )
  const machine = openMachine(stateDir)
  if (machine?.joined) return statusOfAgent(machine, values.json === true)
  const layout = machine?.cloud
  if (!layout) {
    print(
      values.json
        ? JSON.stringify({ ready: false, reason: `there is no cloud in ${stateDir}` })
        : `no cloud in ${stateDir}`,
    )
    return 1
  }
  const { choices } = layout
  const daemons = await daemonStates(machine.specs, machine.file('run'))
  const cloud = await adminCall<CloudStatus>(adminSocket(layout), 'GET', '/admin/v1/status').catch(() => null)
  const ready = cloud?.ready === true
  const endpoint = `http://${layout.doorAddress}:${layout.ports.door}`
  if (values.json) {
    print(
      JSON.stringify({
        ready,
        endpoint,
        region: choices.region,
        publicPool: choices.publicPool,
        daemons,
        agents: cloud?.agents ?? [],
      }),
    )
    return ready ? 0 : 1
  }
  print(
    `${ready ? 'ready' : 'not ready'}: ${endpoint}, region ${choices.region}, public pool ${choices.publicPool}`,
  )
  for (const daemon of daemons)
    print(`  ${daemon.name.padEnd(18)} ${daemon.running ? `running, pid ${daemon.pid}` : 'not running'}`)
  for (const agent of cloud?.agents ?? []) {
    const problems = (agent.fingerprint?.['problems'] as string[] | undefined) ?? []
    const silent = agent.silentSinceMs === null ? '' : ', silent'
    print(
      `  ${agent.kind} ${agent.name}: ${agent.state}${silent}${problems.length > 0 ? `; ${problems.join('; ')}` : ''}`,
    )
  }
  return ready ? 0 : 1
}

/** A machine that joined knows its own daemons; what the cloud thinks of it, the cloud's own status tells. */
async function statusOfAgent(machine: Machine, json: boolean): Promise<number> {
  const { kind, name, availabilityZone, cloudUrl } = machine.joined!
  const daemons = await daemonStates(machine.specs, machine.file('run'))
  const ready = daemons.every((daemon) => daemon.running)
  if (json) {
    print(JSON.stringify({ ready, kind, name, availabilityZone, cloudUrl, daemons }))
    return ready ? 0 : 1
  }
  print(`${kind} ${name} of the cloud at ${cloudUrl}, zone ${availabilityZone}`)
  for (const daemon of daemons)
    print(`  ${daemon.name.padEnd(18)} ${daemon.running ? `running, pid ${daemon.pid}` : 'not running'}`)
  return ready ? 0 : 1
}
