import { BenchAgent } from './bench-agent.ts'
import { BenchCloud, benchImage, inParallel, type BenchCredentials } from './bench-cloud.ts'
import { percentile } from './figures.ts'

const nodes = Number(process.env['MALLEE_NODES'] ?? 1250)
const instances = Number(process.env['MALLEE_INSTANCES'] ?? 20_000)
const perLaunch = 50
/** A default subnet has 4,091 addresses. */
const accounts = 8
const clients = 16
const calls = 2000
const patienceMs = 120_000
type Kind = 'describe' | 'run' | 'terminate'
/** Of ten calls. */
const mix: readonly Kind[] = [
  'describe',
  'describe',
  'describe',
  'run',
  'describe',
  'describe',
  'terminate',
  'describe',
  'describe',
  'describe',
]

/**
 * 20,000 instances of eight accounts on 1,250 nodes: calls a second of eight describes (a page of 100, or one id) to one
 * launch and one termination, against describes alone in the same run. First what the door alone does, then with the
 * cloud's loops at work and nodes that hold their polls and answer at once; all of it, clients too, in one process.
 */
export async function mixedBench(): Promise<void> {
  const bench = await BenchCloud.open({ loops: false, nodes })
  const agents = (await bench.nodes()).map(({ id, fingerprint }) => new BenchAgent(bench, id, fingerprint))
  try {
    const owners: Owner[] = []
    for (let number = 0; number < accounts; number += 1)
      owners.push({ credentials: await bench.createAccount(`account-${number}`), ids: [] })
    const seconds = await inParallel(instances / perLaunch, 4, async (index) => {
      const { credentials, ids } = owners[index % accounts]!
      ids.push(...idsIn(await bench.call('RunInstances', launch(perLaunch), credentials)))
    })
    process.stdout.write(`${instances} instances on ${nodes} nodes, accepted in ${seconds.toFixed(0)} s\n`)
    await compare(bench, owners, 'the door alone')
    bench.cloud.start()
    for (const agent of agents) void agent.run()
    const began = performance.now()
    const running = await untilRunning(bench, instances, began + patienceMs)
    process.stdout.write(
      `loops and nodes at work: ${running} running after ${((performance.now() - began) / 1000).toFixed(0)} s\n`,
    )
    await compare(bench, owners, 'with loops and nodes')
  } finally {
    for (const agent of agents) agent.stop()
    await bench.close()
  }
}

async function compare(bench: BenchCloud, owners: readonly Owner[], how: string): Promise<void> {
  await load(bench, owners, ['describe']) // warms
  const alone = await load(bench, owners, ['describe'])
  const mixed = await load(bench, owners, mix)
  const again = await load(bench, owners, ['describe'])
  tell(`${how}: describes`, alone)
  tell(`${how}: mixed`, mixed)
  tell(`${how}: describes again`, again)
  const floor = (alone.perSecond + again.perSecond) / 2
  process.stdout.write(`  mixed to describes alone: ${(mixed.perSecond / floor).toFixed(2)}\n`)
}

interface Owner {
  readonly credentials: BenchCredentials
  /** Of its instances that were not asked to end. */
  readonly ids: string[]
}

interface Load {
  readonly perSecond: number
  readonly took: ReadonlyMap<Kind, number[]>
}

async function load(bench: BenchCloud, owners: readonly Owner[], kinds: readonly Kind[]): Promise<Load> {
  const took = new Map<Kind, number[]>()
  const seconds = await inParallel(calls, clients, async (index) => {
    const kind = kinds[index % kinds.length]!
    const { credentials, ids } = owners[Math.floor(index / kinds.length) % accounts]!
    const began = performance.now()
    if (kind === 'run') ids.push(...idsIn(await bench.call('RunInstances', launch(1), credentials)))
    else if (kind === 'terminate')
      await bench.call('TerminateInstances', { 'InstanceId.1': ids.shift()! }, credentials)
    else if (index % 2 === 0) await bench.call('DescribeInstances', { MaxResults: 100 }, credentials)
    else
      await bench.call(
        'DescribeInstances',
        { 'InstanceId.1': ids[(index * 7919) % ids.length]! },
        credentials,
      )
    const ms = performance.now() - began
    took.set(kind, [...(took.get(kind) ?? []), ms])
  })
  return { perSecond: calls / seconds, took }
}

const launch = (count: number) => ({
  ImageId: benchImage,
  MinCount: count,
  MaxCount: count,
  InstanceType: 't3.micro',
})

const idsIn = (xml: string) => [...xml.matchAll(/<instanceId>(i-[0-9a-f]+)/g)].map((match) => match[1]!)

function tell(what: string, { perSecond, took }: Load): void {
  process.stdout.write(`${what.padEnd(38)} ${perSecond.toFixed(0)} calls a second`)
  for (const [kind, values] of took)
    process.stdout.write(
      `; ${kind} p50 ${percentile(values, 0.5).toFixed(0)} ms, p99 ${percentile(values, 0.99).toFixed(0)} ms`,
    )
  process.stdout.write('\n')
}

/** How many run, once it is that many or the time is up. */
async function untilRunning(bench: BenchCloud, count: number, deadline: number): Promise<number> {
  for (;;) {
    const row = await bench.cloud.record.read((db) =>
      db
        .selectFrom('instance')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('state', '=', 'running')
        .executeTakeFirstOrThrow(),
    )
    if (Number(row.count) >= count || performance.now() > deadline) return Number(row.count)
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
}
