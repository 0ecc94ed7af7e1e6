import { dayMs, hourMs } from '@mallee/base'
import { BenchCloud } from './bench-cloud.ts'
import { figureLine, figures } from './figures.ts'

const instances = Number(process.env['MALLEE_INSTANCES'] ?? 10_000)
/** Starts and stops of each in the month. */
const spansEach = 3
const accounts = 20
const rounds = 5
const from = Date.UTC(2026, 0, 1)

/**
 * A month of 10,000 instances, each of which ran three times, with a volume and a tag: reported by account, by day and by tag, and as
 * the whole bill line by line, against one bare SQL sum over the same rows.
 */
export async function usageBench(): Promise<void> {
  const bench = await BenchCloud.open({ loops: false, nodes: 1 })
  try {
    await plant(bench)
    const sum = await timed(() => bareSum(bench))
    process.stdout.write(`${figureLine('a bare SQL sum of the same rows', 'ms', sum)}\n`)
    for (const by of ['account', 'day', 'tag:team', 'resource']) {
      const took = await timed(() => get(bench, `/admin/v1/usage?from=2026-01-01&to=2026-01-31&by=${by}`))
      process.stdout.write(
        `${figureLine(`a month by ${by}`, 'ms', took)}, ${(took.median / sum.median).toFixed(1)} times the sum\n`,
      )
    }
    let bytes = 0
    const bill = await timed(async () => {
      bytes = await get(bench, '/admin/v1/cost-and-usage?from=2026-01-01&to=2026-01-31&tags=team')
    })
    process.stdout.write(
      `${figureLine(`the whole bill, ${(bytes / 1e6).toFixed(0)} MB of CSV`, 'ms', bill)}, ${(bill.median / sum.median).toFixed(1)} times the sum\n`,
    )
  } finally {
    await bench.close()
  }
}

async function timed(work: () => Promise<unknown>) {
  const times: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const began = performance.now()
    await work()
    times.push(performance.now() - began)
  }
  return figures(times)
}

async function get(bench: BenchCloud, url: string): Promise<number> {
  const answer = await bench.cloud.adminDoor.inject(url)
  if (answer.statusCode !== 200) throw new Error(answer.body)
  return answer.body.length
}

async function bareSum(bench: BenchCloud): Promise<void> {
  const to = from + 31 * dayMs
  await bench.cloud.record.read((db) =>
    db
      .selectFrom('usage_interval')
      .select((eb) => [
        'account_id',
        'kind',
        'variety',
        eb.fn
          .sum(eb('quantity', '*', eb(eb.fn.coalesce('ended_at', eb.val(to)), '-', eb.ref('started_at'))))
          .as('used'),
      ])
      .where('started_at', '<', to)
      .where((eb) => eb.or([eb('ended_at', 'is', null), eb('ended_at', '>', from)]))
      .groupBy(['account_id', 'kind', 'variety'])
      .execute(),
  )
}

async function plant(bench: BenchCloud): Promise<void> {
  const owners = Array.from({ length: accounts }, (_none, index) => String(100_000_000_000 + index))
  const name = (prefix: string, index: number) => `${prefix}-${index.toString(16).padStart(17, '0')}`
  for (let index = 0; index < instances; index += 500) {
    await bench.cloud.record.transaction('action', async (tx) => {
      for (let at = index; at < Math.min(index + 500, instances); at += 1) {
        const common = {
          ...{ account_id: owners[at % accounts]!, user_id: `AIDA${at % 97}`, zone: 'us-east-1a' },
          ...{ tags: JSON.stringify({ team: `team-${at % 13}` }), quantity: 1 },
        }
        const spans = Array.from({ length: spansEach }, (_none, span) => {
          const started = from + span * 10 * dayMs + (at % 200) * hourMs
          return {
            ...{ ...common, id: `u-${at}-${span}`, resource_id: name('i', at), kind: 'instance' as const },
            ...{
              variety: at % 2 === 0 ? 't3.micro' : 'm5.large',
              started_at: started,
              ended_at: started + 9 * dayMs,
            },
          }
        })
        const volume = {
          ...{ ...common, id: `v-${at}`, resource_id: name('vol', at), kind: 'volume' as const, quantity: 8 },
          ...{ variety: 'gp3', started_at: from + (at % 200) * hourMs, ended_at: null, tags: null },
        }
        await tx.db
          .insertInto('usage_interval')
          .values([...spans, volume])
          .execute()
        await tx.db
          .insertInto('tag')
          .values({
            ...{ account_id: common.account_id, resource_id: volume.resource_id, resource_type: 'volume' },
            ...{ key: 'team', value: `team-${at % 13}` },
          })
          .execute()
      }
    })
  }
}
