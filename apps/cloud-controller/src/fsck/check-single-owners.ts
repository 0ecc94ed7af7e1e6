import { formatIpv4 } from '@mallee/base'
import { finding, type Finding } from './finding.ts'
import type { RecordRows } from './record-rows.ts'

const remedy = 'Terminate one of them.'

/** I3, in the record: every address, MAC, uuid, tap and tag belongs to one thing or to none. */
export function checkSingleOwners(rows: RecordRows): Finding[] {
  const nodeOf = new Map(rows.instances.map((row) => [row.id, row.node_id]))
  return [
    ...twice(
      'I3.private-address-twice',
      rows.interfaces.map((row) => [`${row.subnet_id} ${formatIpv4(row.private_ip)}`, row.id]),
    ),
    ...twice(
      'I3.mac-twice',
      rows.interfaces.map((row) => [row.mac, row.id]),
    ),
    ...twice(
      'I3.public-address-twice',
      rows.addresses.map((row) => [formatIpv4(row.public_ip), row.interface_id ?? row.account_id]),
    ),
    ...twice(
      'I3.uuid-twice',
      rows.instances.map((row) => [row.uuid, row.id]),
    ),
    // A tap is named by the last twelve digits of its interface, and only its own node knows it.
    ...twice(
      'I3.tap-twice',
      rows.interfaces.flatMap((row) => {
        const node = row.instance_id === null ? null : nodeOf.get(row.instance_id)
        return node ? [[`${node} ${row.id.slice(-12)}`, row.id] as const] : []
      }),
    ),
    ...twice(
      'I3.network-tag-twice',
      [...rows.vpcs, ...rows.subnets].map((row) => [`${row.id.split('-')[0]} ${row.tag}`, row.id]),
    ),
    ...twice(
      'I3.device-twice',
      rows.interfaces.flatMap((row) =>
        row.instance_id === null ? [] : [[`${row.instance_id} device ${row.device_index}`, row.id] as const],
      ),
    ),
  ]
}

/** Pairs of a thing and who has it. */
function twice(code: string, pairs: readonly (readonly [string, string])[]): Finding[] {
  return [...Map.groupBy(pairs, ([thing]) => thing)]
    .filter(([, owners]) => owners.length > 1)
    .map(([thing, owners]) =>
      finding(code, thing, `belongs to ${owners.map(([, owner]) => owner).join(' and ')}`, remedy),
    )
}
