import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { silentLog } from '@mallee/base'
import type { DesiredItem, FlowLog, VpcItem } from '@mallee/agent-contract'
import { worldItems } from '@mallee/testkit'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { CountedFlow, FlowWindow } from '../drivers/network/driver.ts'
import { fatal, passing } from '../node-error.ts'
import { FlowLogKeeper } from './flow-log-keeper.ts'
import { FlowSpool } from './flow-spool.ts'

const [vpc] = worldItems()
const [a, b] = vpc!.interfaces
const start = Date.UTC(2026, 10, 28, 20, 0)

const log = (changes: Partial<FlowLog> = {}): FlowLog => ({
  ...{ flowLogId: 'fl-1', accountId: '000000000001', traffic: 'ALL', fields: ['interface-id', 'packets'] },
  ...{ bucket: 'records', keyPrefix: 'AWSLogs/', region: 'us-east-1', intervalSeconds: 60 },
  interfaceIds: [a!.interfaceId],
  ...changes,
})
const flow = (packets: number, interfaceId = a!.interfaceId): CountedFlow => ({
  ...{ interfaceId, direction: 'ingress', accepted: true, protocol: 17, packets, bytes: 1, tcpFlags: 0 },
  ...{ source: '10.0.0.1', sourcePort: 1, destination: '10.0.0.2', destinationPort: 2 },
})

let dir: string
let nowMs: number
let items: VpcItem[]
let windows: FlowWindow[]
let sent: { bucket: string; key: string; lines: string[] }[]
let refusal: Error | null
let keeper: FlowLogKeeper
const open = (limits: ConstructorParameters<typeof FlowSpool>[1] = {}) =>
  new FlowLogKeeper({
    ...{ agentId: 'agent-1', spool: new FlowSpool(dir, limits), log: silentLog },
    items: () => items.map((body) => ({ body }) as DesiredItem<'vpc'>),
    network: {
      async collectFlows(keep) {
        for (let window = windows[0]; window; window = windows[0]) {
          await keep(window)
          windows.shift()
        }
      },
    },
    async send(bucket, key, bytes) {
      if (refusal) throw refusal
      sent.push({ bucket, key, lines: gunzipSync(bytes).toString().split('\n').slice(0, -1) })
    },
    clock: { now: () => nowMs, sleep: () => Promise.resolve() } as never,
  })
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'flow-logs-'))
  ;[nowMs, windows, sent, refusal] = [start, [], [], null]
  items = [{ ...vpc!, flowLogs: [log()] }]
  keeper = open()
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** A minute passes in which this was counted. */
async function minute(...flows: CountedFlow[]): Promise<void> {
  windows.push({ startMs: nowMs, endMs: nowMs + 60_000, flows, incomplete: [] })
  nowMs += 60_000
  await keeper.refresh()
}

it('delivers every minute, with a header, and leaves nothing on the disk', async () => {
  await minute(flow(3), flow(9, b!.interfaceId))
  await minute()
  const id = a!.interfaceId
  expect(sent.map(({ lines }) => lines)).toEqual([
    ['interface-id packets', `${id} 3`],
    ['interface-id packets', `${id} -`],
  ])
  expect(sent[0]!.bucket).toBe('records')
  expect(sent[0]!.key).toMatch(/^AWSLogs\/2026\/11\/28\/.*_fl-1_20261128T2000Z_[0-9a-f]{8}\.log\.gz$/)
  expect(await readdir(dir)).toEqual([])
})

it('gathers for five minutes where ten are allowed', async () => {
  items = [{ ...vpc!, flowLogs: [log({ intervalSeconds: 600 })] }]
  for (const packets of [1, 2, 3, 4, 5]) await minute(flow(packets))
  expect(sent).toEqual([])
  await minute(flow(6))
  expect(sent.map(({ lines }) => lines.length)).toEqual([7])
})

it('while walrus is away keeps what it has and over a restart, and then delivers it once', async () => {
  refusal = passing('WalrusAway', 'away')
  await minute(flow(1))
  keeper = open()
  await minute(flow(2))
  expect(sent).toEqual([])
  refusal = null
  await keeper.refresh()
  expect(sent).toEqual([]) // it is not asked all the time
  nowMs += 15_000
  await keeper.refresh()
  expect(sent.map(({ lines }) => lines.slice(1))).toEqual([[`${a!.interfaceId} 1`, `${a!.interfaceId} 2`]])
})

it('has bounds: what there is no room for becomes a record that says so', async () => {
  refusal = passing('WalrusAway', 'away')
  const fields = ['srcaddr', 'dstaddr', 'srcport', 'packets', 'log-status']
  items = [{ ...vpc!, flowLogs: [log({ fields })] }]
  keeper = open({ mostBytes: 480, mostWindows: 6 })
  for (let count = 0; count < 10; count += 1)
    await minute(...Array.from({ length: 5 }, (_, index) => ({ ...flow(count), sourcePort: index })))
  refusal = null
  nowMs += 300_000
  await keeper.refresh()
  const lines = sent.flatMap((each) => each.lines.slice(1))
  expect(lines.filter((line) => line.endsWith('SKIPDATA'))).toHaveLength(3)
  expect(lines.filter((line) => line.endsWith('OK')).map((line) => line.split(' ')[3])).toEqual(
    [7, 8, 9].flatMap((count) => Array.from({ length: 5 }, () => String(count))),
  )
})

it('lets no flow log have all the room', async () => {
  refusal = passing('WalrusAway', 'away')
  const other = log({ flowLogId: 'fl-2' })
  items = [{ ...vpc!, flowLogs: [log(), other] }]
  keeper = open({ mostBytesOfAll: 600 })
  for (let count = 0; count < 20; count += 1)
    await minute(...Array.from({ length: 5 }, (_, index) => ({ ...flow(count), sourcePort: index })))
  let bytes = 0
  for (const id of ['fl-1', 'fl-2'])
    for (const name of await readdir(path.join(dir, id)))
      if (name.endsWith('.log')) bytes += (await stat(path.join(dir, id, name))).size
  // What says that something was skipped is short, and stays: here it is an interface and a hyphen.
  const said = 20 * 2 * `${a!.interfaceId} -\n`.length
  expect(bytes).toBeLessThanOrEqual(600 + said)
})

it('leaves each flow log its share, however much of another waits', async () => {
  refusal = passing('WalrusAway', 'away')
  keeper = open({ mostBytesOfAll: 600 })
  const five = () => Array.from({ length: 5 }, (_, index) => ({ ...flow(1), sourcePort: index }))
  for (let count = 0; count < 20; count += 1) await minute(...five())
  items = [{ ...vpc!, flowLogs: [log(), log({ flowLogId: 'fl-2' })] }]
  await minute(...five())
  const [name] = (await readdir(path.join(dir, 'fl-2'))).filter((each) => each.endsWith('.log'))
  expect((await readFile(path.join(dir, 'fl-2', name!), 'utf8')).split('\n')).toHaveLength(6)
})

it('asks a walrus that is away ever more rarely', async () => {
  refusal = passing('WalrusAway', 'away')
  await minute(flow(1))
  const waits: number[] = []
  for (let waited = 0; waits.length < 7; waited += 5_000) {
    nowMs += 5_000
    let asked = false
    refusal = Object.defineProperty(passing('WalrusAway', 'away'), 'retryable', {
      get: () => {
        asked = true
        return true
      },
    })
    await keeper.refresh()
    if (!asked) continue
    waits.push((waited + 5_000) / 1000)
    waited = -5_000
  }
  expect(waits).toEqual([15, 30, 60, 120, 240, 300, 300])
})

it('has the last records of an interface that went, and takes none of a flow log that was deleted', async () => {
  items = [{ ...vpc!, flowLogs: [log({ interfaceIds: [a!.interfaceId, b!.interfaceId] })] }]
  nowMs += 1
  await keeper.refresh()
  items = [{ ...vpc!, interfaces: [b!], flowLogs: [log({ interfaceIds: [b!.interfaceId] })] }]
  await minute(flow(4), flow(5, b!.interfaceId))
  expect(sent[0]!.lines.slice(1)).toEqual([`${a!.interfaceId} 4`, `${b!.interfaceId} 5`])
  refusal = fatal('RecordsRefused', 'nobody asks')
  items = [vpc!]
  await minute(flow(6))
  expect(await readdir(dir)).toEqual([])
})

it('waits where walrus refuses what is still wanted: it may not have heard of it yet', async () => {
  refusal = fatal('RecordsRefused', 'not yet')
  await minute(flow(1))
  refusal = null
  nowMs += 15_000
  await keeper.refresh()
  expect(sent).toHaveLength(1)
})

it('writes the same window once, and leaves a stranger’s file alone', async () => {
  refusal = passing('WalrusAway', 'away')
  await minute(flow(1))
  windows = [{ startMs: start, endMs: start + 60_000, flows: [flow(1)], incomplete: [] }]
  await writeFile(path.join(dir, 'fl-1', 'note'), 'kept')
  nowMs += 60_000
  refusal = null
  await keeper.refresh()
  expect(sent.map(({ lines }) => lines.length)).toEqual([2])
  expect(await readFile(path.join(dir, 'fl-1', 'note'), 'utf8')).toBe('kept')
})
