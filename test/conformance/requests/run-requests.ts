/** Runs generate.py in several processes and checks each of their requests. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { seededRandom } from '@mallee/base'
import { createEc2Decoder, ec2Model } from '@mallee/ec2-api'
import { modelFacts, python } from '../botocore/oracle.ts'
import { checkRequest, type GeneratedRequest } from './check-request.ts'
import { belowFrom } from './mutate.ts'

const script = fileURLToPath(new URL('generate.py', import.meta.url))
const keptDisagreements = 20

export interface RequestTally {
  requests: number
  /** Of those, the ones whose parameters are to be refused. */
  spoilt: number
  operations: Set<string>
  /** How often each change was tried. */
  mutations: Map<string, number>
  disagreements: number
  /** The first few, with the request. */
  examples: string[]
}

/** The same seed, count and shards give the same requests on any machine: each shard has a seed that follows from it. */
export async function runRequests(options: {
  seed: number
  count: number
  /** How many times generate.py is run. */
  shards: number
  /** How many of those at a time. */
  processes: number
  onProgress?: (tally: RequestTally) => void
}): Promise<RequestTally> {
  const tally: RequestTally = {
    requests: 0,
    spoilt: 0,
    operations: new Set(),
    mutations: new Map(),
    disagreements: 0,
    examples: [],
  }
  const share = Math.ceil(options.count / options.shards)
  let next = 0
  const lane = async () => {
    while (next < options.shards) {
      const shard = next
      next += 1
      await runShard(options.seed * 1000 + shard, share, tally, options.onProgress)
    }
  }
  await Promise.all(Array.from({ length: options.processes }, lane))
  return tally
}

async function runShard(
  seed: number,
  count: number,
  tally: RequestTally,
  onProgress: ((tally: RequestTally) => void) | undefined,
): Promise<void> {
  const model = ec2Model()
  const decoder = createEc2Decoder()
  const below = belowFrom(seededRandom(seed))
  const child = spawn(python, [script, String(seed), String(count)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  child.stdin.end(`${JSON.stringify({ ...modelFacts(model), operations: Object.keys(model.operations) })}\n`)
  for await (const text of lines(child.stdout)) {
    const line = JSON.parse(text) as GeneratedRequest
    const { mutation, disagreements } = await checkRequest(line, decoder, below)
    tally.requests += 1
    if (line.refused) tally.spoilt += 1
    tally.operations.add(line.operation)
    const kind = mutation.replace(/^a bit of (?!the ).*/, 'a bit of a signed header')
    tally.mutations.set(kind, (tally.mutations.get(kind) ?? 0) + 1)
    for (const what of disagreements) {
      tally.disagreements += 1
      if (tally.examples.length < keptDisagreements)
        tally.examples.push(`seed ${seed}, ${line.operation}: ${what}\n  ${text.slice(0, 2000)}`)
    }
    if (tally.requests % 50_000 === 0) onProgress?.(tally)
  }
  const status = await exited
  if (status !== 0) throw new Error(`generate.py ended with ${status}`)
}

async function* lines(stream: NodeJS.ReadableStream): AsyncGenerator<string> {
  stream.setEncoding('utf8')
  let rest = ''
  for await (const chunk of stream) {
    const parts = (rest + String(chunk)).split('\n')
    rest = parts.pop() ?? ''
    yield* parts
  }
}

/** One line for a log: what was really tried. */
export function tallyLine(tally: RequestTally): string {
  const tampered = [...tally.mutations.values()].reduce((sum, count) => sum + count, 0)
  return `${tally.requests} requests signed by botocore (${tally.spoilt} with bad parameters), ${tally.operations.size} actions, ${tampered} tampered with in ${tally.mutations.size} ways, ${tally.disagreements} disagreements`
}
