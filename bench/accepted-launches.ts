import Database from 'better-sqlite3'
import { rmSync } from 'node:fs'
import path from 'node:path'
import { BenchCloud, benchImage, inParallel } from './bench-cloud.ts'

const launches = 3000
const clients = 32
const nodes = 100
/** Tables that one accepted RunInstances writes. */
const tables = [
  'reservation',
  'instance',
  'decision',
  'network_interface',
  'network_interface_group',
  'address',
  'event',
  'event_resource',
] as const

type Row = Record<string, string | number | null>

/**
 * Durable RunInstances accepted, 32 clients, signatures checked, against the very same rows written by prepared
 * statements, one transaction with FULL a launch: what no durable cloud could do without. Aim: a ratio of 0.9; commits
 * that are shared bring it above 1.
 */
export async function acceptedLaunchesBench(): Promise<void> {
  const bench = await BenchCloud.open({ loops: false, nodes })
  try {
    const calls = Array.from({ length: launches + clients }, () =>
      bench.sign('RunInstances', { ImageId: benchImage, MinCount: 1, MaxCount: 1, InstanceType: 't3.micro' }),
    )
    const launch = async (index: number) => {
      const answer = await bench.cloud.door.inject(calls[index]!)
      if (answer.statusCode !== 200) throw new Error(answer.body)
    }
    await inParallel(clients, clients, launch) // warms everything
    const seconds = await inParallel(launches, clients, (index) => launch(index + clients))
    const ours = launches / seconds
    const floor = bareLaunches(path.join(bench.dir, 'record.db'), path.join(bench.dir, 'bare.db'))
    process.stdout.write(`RunInstances accepted, ${clients} clients      ${ours.toFixed(0)} a second\n`)
    process.stdout.write(`the same rows, one FULL transaction each ${floor.toFixed(0)} a second\n`)
    process.stdout.write(`ratio: ${(ours / floor).toFixed(2)} (aim 0.9 or more)\n`)
  } finally {
    await bench.close()
  }
}

/** Replays the rows of the last launches into a database of the same schema that holds everything else. */
function bareLaunches(record: string, file: string): number {
  const source = new Database(record, { readonly: true })
  source.prepare('vacuum into ?').run(file)
  const instances = source
    .prepare('select id, reservation_id from instance order by launched_at, id limit ?')
    .all(launches) as { id: string; reservation_id: string }[]
  const target = new Database(file)
  target.pragma('journal_mode = WAL')
  target.pragma('synchronous = FULL')
  target.pragma('foreign_keys = ON')
  const present = tables.filter((table) =>
    source.prepare("select 1 from sqlite_master where type = 'table' and name = ?").get(table),
  )
  const batches = instances.map((instance) => rowsOf(source, present, instance))
  target.pragma('foreign_keys = OFF')
  for (const table of present) target.exec(`delete from ${table}`)
  target.pragma('foreign_keys = ON')
  const inserts = new Map(
    present.map((table) => {
      const columns = (source.pragma(`table_info(${table})`) as { name: string }[]).map(
        (column) => column.name,
      )
      const names = columns.map((name) => `"${name}"`).join(',')
      return [
        table,
        target.prepare(
          `insert into ${table} (${names}) values (${columns.map((name) => `@${name}`).join(',')})`,
        ),
      ]
    }),
  )
  const write = target.transaction((rows: [string, Row][]) => {
    for (const [table, row] of rows) inserts.get(table as never)!.run(row)
  })
  const beganMs = performance.now()
  for (const rows of batches) write.immediate(rows)
  const perSecond = batches.length / ((performance.now() - beganMs) / 1000)
  source.close()
  target.close()
  rmSync(file)
  return perSecond
}

function rowsOf(
  source: Database.Database,
  present: readonly string[],
  instance: { id: string; reservation_id: string },
): [string, Row][] {
  const select = (table: string, where: string, ...values: string[]): [string, Row][] =>
    present.includes(table)
      ? (source.prepare(`select * from ${table} where ${where}`).all(...values) as Row[]).map((row) => [
          table,
          row,
        ])
      : []
  const interfaces = select('network_interface', 'instance_id = ?', instance.id)
  const events = select('event', "resources like '%' || ? || '%'", instance.id)
  return [
    ...select('reservation', 'id = ?', instance.reservation_id),
    ...select('instance', 'id = ?', instance.id),
    ...select('decision', 'instance_id = ?', instance.id),
    ...interfaces,
    ...interfaces.flatMap(([, row]) => [
      ...select('network_interface_group', 'interface_id = ?', String(row['id'])),
      ...select('address', 'interface_id = ?', String(row['id'])),
    ]),
    ...events,
    ...events.flatMap(([, row]) => select('event_resource', 'event_id = ?', String(row['id']))),
  ]
}
