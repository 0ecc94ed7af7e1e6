import { blockContains, formatIpv4, parseCidr } from '@mallee/base'
import { finding, type Finding } from './finding.ts'
import type { CheckContext, RecordRows } from './record-rows.ts'

const report = 'Please report this with ./mallee history of the resource.'

/** I2: what is given away is what somebody holds, and no more than there is. */
export function checkAllocations(rows: RecordRows, ctx: CheckContext): Finding[] {
  return [...interfaces(rows), ...addresses(rows, ctx), ...leftovers(rows), ...capacity(rows)]
}

function interfaces(rows: RecordRows): Finding[] {
  const instances = new Map(rows.instances.map((row) => [row.id, row]))
  const subnets = new Map(rows.subnets.map((row) => [row.id, row]))
  const found: Finding[] = []
  for (const entry of rows.interfaces) {
    const holder = entry.instance_id === null ? null : instances.get(entry.instance_id)
    if (entry.instance_id !== null && (!holder || holder.state === 'terminated')) {
      const what = `is held by ${entry.instance_id}, which is ${holder ? 'terminated' : 'not there'}`
      found.push(finding('I2.interface-leaked', entry.id, what, report))
    }
    const block = parseCidr(subnets.get(entry.subnet_id)?.cidr ?? '')
    if (!block || !blockContains(block, entry.private_ip)) {
      const what = `has ${formatIpv4(entry.private_ip)}, which is not in its subnet`
      found.push(finding('I2.address-outside', entry.id, what, report))
    }
  }
  const plugged = new Set(rows.interfaces.map((entry) => entry.instance_id))
  for (const instance of rows.instances) {
    if (instance.state === 'terminated' || plugged.has(instance.id)) continue
    found.push(
      finding(
        'I2.instance-without-interface',
        instance.id,
        `is ${instance.state} and has no interface`,
        report,
      ),
    )
  }
  return found
}

function addresses(rows: RecordRows, ctx: CheckContext): Finding[] {
  const known = new Set(rows.interfaces.map((entry) => entry.id))
  const pool = parseCidr(ctx.publicPool)
  return rows.addresses.flatMap((entry) => {
    const address = formatIpv4(entry.public_ip)
    if (entry.interface_id !== null && !known.has(entry.interface_id))
      return [
        finding('I2.address-leaked', address, `is on ${entry.interface_id}, which is not there`, report),
      ]
    if (entry.interface_id === null && entry.allocation_id === null)
      return [finding('I2.address-leaked', address, 'is lent to nobody and allocated by nobody', report)]
    if (pool && !blockContains(pool, entry.public_ip))
      return [finding('I2.address-outside', address, `is not in the public pool ${ctx.publicPool}`, report)]
    return []
  })
}

function leftovers(rows: RecordRows): Finding[] {
  const instances = new Set(rows.instances.map((row) => row.id))
  const used = new Set(rows.instances.map((row) => row.reservation_id))
  const gone = (code: string, ids: readonly { readonly instance_id: string }[]) =>
    ids
      .filter((row) => !instances.has(row.instance_id))
      .map((row) => finding(code, row.instance_id, 'has a row here, and there is no such instance', report))
  return [
    ...rows.reservations
      .filter((row) => !used.has(row.id))
      .map((row) => finding('I2.reservation-empty', row.id, 'has no instance', report)),
    ...gone('I2.decision-leaked', rows.decisions),
    ...gone('I2.console-leaked', rows.consoles),
    ...gone('I2.screenshot-leaked', rows.screenshots),
    ...gone('I2.sample-leaked', rows.samples),
    ...gone('I2.domain-leaked', rows.domains),
  ]
}

function capacity(rows: RecordRows): Finding[] {
  const found: Finding[] = []
  for (const agent of rows.agents) {
    if (agent.kind !== 'node' || agent.fingerprint === null || agent.state === 'forgotten') continue
    const has = JSON.parse(agent.fingerprint) as { vcpus?: number; memoryMiB?: number; diskGiB?: number }
    const held = rows.instances.filter((row) => row.node_id === agent.id && row.state !== 'terminated')
    const sums = [
      ['vcpus', held.reduce((sum, row) => sum + row.vcpus, 0), has.vcpus],
      ['MiB of memory', held.reduce((sum, row) => sum + row.memory_mib, 0), has.memoryMiB],
      ['GiB of disk', held.reduce((sum, row) => sum + row.disk_gib, 0), has.diskGiB],
    ] as const
    for (const [unit, used, total] of sums) {
      if (total === undefined || used <= total) continue
      const what = `has ${total} ${unit} and its instances were promised ${used}`
      found.push(finding('I2.overcommitted', `node ${agent.name} ${unit}`, what, `Drain ${agent.name}.`))
    }
  }
  return found
}
