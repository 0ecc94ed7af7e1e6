import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { silentLog } from '@mallee/base'
import type { FirewallRule, VpcItem } from '@mallee/agent-contract'
import { openLinuxNetwork } from '@mallee/node-controller'
import { makeTestLan, testPublicPool, whyNoTestNetwork, type TestGuest } from '@mallee/testkit'
import { figureLine, figures } from './figures.ts'
import { makeBareLan } from './network/bare-lan.ts'
import { makeDrivenLan } from './network/driven-lan.ts'
import { groupCount, manyRules, plainRules, rulesEach } from './network/many-rules.ts'
import { serveTraffic, traffic, type TrafficKind } from './network/traffic.ts'

const rounds = Number(process.env['MALLEE_ROUNDS'] ?? 7)
const seconds = Number(process.env['MALLEE_SECONDS'] ?? 1)

const chapters: Readonly<Record<string, () => Promise<void>>> = {
  packets: packetsChapter,
  rules: rulesChapter,
  metadata: metadataChapter,
}

/**
 * The Linux network driver against bare bridges, a bare tunnel and plain rules, in namespaces of the bench's own.
 * `MALLEE_CHAPTERS` names some of them: packets, rules, metadata.
 */
export async function networkBench(): Promise<void> {
  const whyNot = whyNoTestNetwork()
  if (whyNot !== null) throw new Error(`the network cannot be measured here: ${whyNot}`)
  for (const name of (process.env['MALLEE_CHAPTERS'] ?? Object.keys(chapters).join(',')).split(','))
    await chapters[name]!()
}

const all: FirewallRule = { protocol: '-1', fromPort: -1, toPort: -1, cidr: '0.0.0.0/0', peerGroupId: null }
/** The hundredth of them is the first that lets the traffic in. */
const hundred: FirewallRule[] = [
  ...Array.from({ length: 99 }, (_none, index) => ({
    ...{ protocol: '6', fromPort: 20_000 + index, toPort: 20_000 + index, peerGroupId: null },
    cidr: `10.9.${index}.0/24`,
  })),
  all,
]

/** Guests on one node, and on two, against the same links on bare bridges; with one rule and with a hundred. */
async function packetsChapter(): Promise<void> {
  const bare = await makeBareLan()
  try {
    const driven = await makeDrivenLan()
    try {
      const servers = await Promise.all(
        [bare, driven].flatMap(({ guests }) => guests.slice(1).map((guest) => serveTraffic(guest.namespace))),
      )
      const measure = async (kind: TrafficKind, to: 1 | 2) => {
        const found: number[][] = [[], [], []]
        const ask = (lan: { guests: readonly TestGuest[]; addresses: readonly string[] }) =>
          traffic(kind, { namespace: lan.guests[0]!.namespace, address: lan.addresses[to]!, seconds })
        for (let round = 0; round <= rounds; round += 1) {
          found[0]!.push(await ask(bare))
          await driven.allow([all])
          found[1]!.push(await ask(driven))
          await driven.allow(hundred)
          found[2]!.push(await ask(driven))
        }
        return found
      }
      for (const [to, where, floor] of [
        [1, 'on one node', 'a bare bridge'],
        [2, 'across two nodes', 'a bare VXLAN between bare bridges'],
      ] as const) {
        for (const [kind, what, unit, scale] of [
          ['bytes', 'TCP, one stream', 'MiB/s', 1024 ** 2],
          ['roundTrips', 'round trips of one byte', 'a second', 1],
          ['connections', 'new TCP connections', 'a second', 1],
        ] as const) {
          const [least, one, many] = (await measure(kind, to)).map((list) => list.map((each) => each / scale))
          tell(`${what}, ${where}`, unit, [floor, least!], ['one rule', one!], ['a hundred rules', many!])
        }
      }
      for (const server of servers) await server.end()
    } finally {
      await driven.end()
    }
  } finally {
    await bare.lan.remove()
  }
}

/** Until the driver says that they stand, against nft alone with the same rules in as many chains. */
async function rulesChapter(): Promise<void> {
  const lan = await makeTestLan(2)
  const runDir = await mkdtemp(path.join(tmpdir(), 'bench-network-'))
  const [node, plain] = [lan.nodes[0]!.name, lan.nodes[1]!.name]
  const driver = await openLinuxNetwork({
    ...{ uplink: 'uplink', runDir, publicPool: testPublicPool, log: silentLog, netns: node },
  })
  try {
    const { whole, oneChanged } = plainRules()
    const load = (input: string) =>
      timed(async () => {
        execFileSync('nsenter', [`--net=/run/netns/${plain}`, 'nft', '-f', '-'], { input })
      })
    const apply = (item: VpcItem) => timed(() => driver.apply([item]))
    const without = { ...manyRules(), securityGroups: manyRules().securityGroups.map(ruleless) }
    const found = {
      plain: [] as number[],
      first: [] as number[],
      change: [] as number[],
      again: [] as number[],
    }
    for (let round = 0; round < Math.max(4, Math.ceil(rounds / 2)); round += 1) {
      // What is not of rules (links, DHCP for 200) stands before.
      await driver.apply([without])
      found.plain.push(await load(whole))
      found.first.push(await apply(manyRules()))
      found.change.push(await load(oneChanged))
      found.again.push(await apply(manyRules({ changed: round })))
    }
    const what = `${groupCount} groups of ${rulesEach} rules each`
    tell(
      `${what}, all new`,
      'ms',
      ['nft alone, as many plain rules', found.plain],
      ['the driver', found.first],
    )
    tell(`${what}, one changed`, 'ms', ['nft alone, one chain', found.change], ['the driver', found.again])
  } finally {
    await driver.removeAll()
    await driver.close()
    await lan.remove()
    await rm(runDir, { recursive: true, force: true })
  }
}

const ruleless = (group: VpcItem['securityGroups'][number]) => ({ ...group, ingress: [] })

async function timed(what: () => Promise<void>): Promise<number> {
  const began = performance.now()
  await what()
  return performance.now() - began
}

/** 200 guests that boot at once; the server and they share the processors. */
async function metadataChapter(): Promise<void> {
  const lan = await makeTestLan(1)
  const namespace = lan.nodes[0]!.name
  const program = (name: string) => path.join(import.meta.dirname, 'network', name)
  const server = spawn(
    'nsenter',
    [`--net=/run/netns/${namespace}`, process.execPath, program('metadata-server.ts')],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  try {
    const [ports_] = (await once(createInterface({ input: server.stdout }), 'line')) as [string]
    const ports = Object.entries(JSON.parse(ports_) as Record<string, number>)
    const found = ports.map(([what]) => [what, []] as [string, number[]])
    for (let round = 0; round <= rounds; round += 1)
      for (const [index, [, port]] of ports.entries()) {
        const args = [program('metadata-storm.ts'), String(port), '200', '50']
        found[index]![1].push(Number(await lan.exec(namespace, process.execPath, args)))
      }
    tell('metadata for 200 that boot at once: a token, a question', 'a second', ...(found as [Told, Told]))
  } finally {
    server.stdin.end()
    await once(server, 'exit')
    await lan.remove()
  }
}

type Told = [what: string, values: number[]]

/** The first is the baseline; the first round of each warms up. */
function tell(what: string, unit: string, floor: Told, ...ours: Told[]): void {
  line(what)
  const median = ([, values]: Told) => figures(values.slice(1)).median
  for (const told of [floor, ...ours]) line(figureLine(`  ${told[0]}`, unit, figures(told[1].slice(1))))
  for (const told of ours)
    line(`  ratio of medians, ${told[0]}: ${(median(told) / median(floor)).toFixed(2)}`)
}

const line = (text: string) => void process.stdout.write(`${text}\n`)
