import path from 'node:path'
import Database from 'better-sqlite3'
import type { BenchCloud } from './bench-cloud.ts'

type Row = Record<string, string | number | null>

/** Tables whose rows an instance consists of, each with how its copies are told apart. */
const parts: Readonly<Record<string, (row: Row, number: number) => Row>> = {
  reservation: (row, number) => ({ ...row, id: numbered('r', number) }),
  instance: (row, number) => ({
    ...row,
    id: numbered('i', number),
    reservation_id: numbered('r', number),
    uuid: numbered('uuid', number),
    state: 'running',
    launched_at: Number(row['launched_at']) + number,
  }),
  network_interface: (row, number) => ({
    ...row,
    id: numbered('eni', number),
    instance_id: numbered('i', number),
    attachment_id: numbered('eni-attach', number),
    mac: numbered('mac', number),
    private_ip: Number(row['private_ip']) + number,
  }),
  network_interface_address: (row, number) => ({
    ...row,
    interface_id: numbered('eni', number),
    private_ip: Number(row['private_ip']) + number,
  }),
  network_interface_group: (row, number) => ({ ...row, interface_id: numbered('eni', number) }),
  address: (row, number) => ({
    ...row,
    public_ip: Number(row['public_ip']) + number,
    private_ip: Number(row['private_ip']) + number,
    association_id: numbered('eipassoc', number),
    interface_id: numbered('eni', number),
  }),
  tag: (row, number) => ({ ...row, resource_id: numbered('i', number) }),
}

const numbered = (prefix: string, number: number) => `${prefix}-${number.toString(16).padStart(17, '0')}`

/** Copies the rows of one launched instance `count` times: no launch, for what only reads. Numbers begin at `first`. */
export function plantInstances(bench: BenchCloud, instanceId: string, first: number, count: number): void {
  const record = new Database(path.join(bench.dir, 'record.db'))
  record.pragma('foreign_keys = OFF')
  const rowOf = (table: string, column: string, value: unknown) =>
    record.prepare(`select * from ${table} where ${column} = ?`).all(value) as Row[]
  const instance = rowOf('instance', 'id', instanceId)
  const interfaces = rowOf('network_interface', 'instance_id', instanceId)
  const interfaceId = interfaces[0]!['id']
  const templates: Readonly<Record<string, Row[]>> = {
    reservation: rowOf('reservation', 'id', instance[0]!['reservation_id']),
    instance,
    network_interface: interfaces,
    network_interface_address: rowOf('network_interface_address', 'interface_id', interfaceId),
    network_interface_group: rowOf('network_interface_group', 'interface_id', interfaceId),
    address: rowOf('address', 'interface_id', interfaceId),
    tag: rowOf('tag', 'resource_id', instanceId),
  }
  record.transaction(() => {
    for (const [table, rows] of Object.entries(templates)) {
      const columns = Object.keys(rows[0]!)
      const insert = record.prepare(
        `insert into ${table} (${columns.map((name) => `"${name}"`).join(',')}) values (${columns.map((name) => `@${name}`).join(',')})`,
      )
      for (let number = first; number < first + count; number += 1)
        for (const row of rows) insert.run(parts[table]!(row, number))
    }
  })()
  record.close()
}
