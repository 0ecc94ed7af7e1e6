import { BenchCloud, benchImage } from './bench-cloud.ts'
import { percentile } from './figures.ts'
import { plantInstances } from './plant-instances.ts'

const small = 10_000
const large = 100_000
const runs = [
  { pageSize: 100, pages: 1000 },
  { pageSize: 1000, pages: 300 },
] as const
const warming = 20

/**
 * DescribeInstances page by page over an account of 10,000 and one of 100,000 instances, in turn, so that both see the
 * same machine: what a page costs is to depend on the page and not on the account, and the ratio to be about 1.
 */
export async function describePagesBench(): Promise<void> {
  const clouds: BenchCloud[] = []
  try {
    for (const size of [small, large]) clouds.push(await cloudOf(size))
    for (const { pageSize, pages } of runs) {
      const readers = clouds.map((cloud) => new PageReader(cloud, pageSize))
      const took: [number[], number[]] = [[], []]
      for (let page = 0; page < pages + warming; page += 1) {
        for (const [index, reader] of readers.entries()) {
          const ms = await reader.next()
          if (page >= warming) took[index]!.push(ms)
        }
      }
      const [ours, theirs] = took.map((values) => [percentile(values, 0.5), percentile(values, 0.99)])
      for (const [size, [p50, p99]] of [
        [small, ours!],
        [large, theirs!],
      ] as const)
        process.stdout.write(
          `${String(size).padStart(6)} instances, MaxResults=${pageSize}: p50 ${p50!.toFixed(1)} ms, p99 ${p99!.toFixed(1)} ms (${pages} pages)\n`,
        )
      const [p50, p99] = [0, 1].map((at) => (theirs![at]! / ours![at]!).toFixed(2))
      process.stdout.write(`  ratios: p50 ${p50}, p99 ${p99} (aim about 1)\n`)
    }
  } finally {
    for (const cloud of clouds) await cloud.close()
  }
}

async function cloudOf(instances: number): Promise<BenchCloud> {
  const bench = await BenchCloud.open({ loops: false, nodes: 1 })
  const launched = await bench.call('RunInstances', {
    ImageId: benchImage,
    MinCount: 1,
    MaxCount: 1,
    'TagSpecification.1.ResourceType': 'instance',
    'TagSpecification.1.Tag.1.Key': 'Name',
    'TagSpecification.1.Tag.1.Value': 'bench',
    'TagSpecification.1.Tag.2.Key': 'stage',
    'TagSpecification.1.Tag.2.Value': 'test',
  })
  plantInstances(bench, /<instanceId>(i-[0-9a-f]+)/.exec(launched)![1]!, 1, instances - 1)
  return bench
}

/** Follows NextToken from page to page, and begins again at the end. */
class PageReader {
  private readonly bench: BenchCloud
  private readonly pageSize: number
  private token: string | undefined

  constructor(bench: BenchCloud, pageSize: number) {
    this.bench = bench
    this.pageSize = pageSize
  }

  /** Milliseconds that the page took. */
  async next(): Promise<number> {
    const more = this.token === undefined ? {} : { NextToken: this.token }
    const call = this.bench.sign('DescribeInstances', { MaxResults: this.pageSize, ...more })
    const began = performance.now()
    const answer = await this.bench.cloud.door.inject(call)
    const ms = performance.now() - began
    const shown = answer.body.split('<instanceId>').length - 1
    if (shown !== this.pageSize)
      throw new Error(`${shown} instances are on a page: ${answer.body.slice(0, 300)}`)
    this.token = /<nextToken>([^<]+)/.exec(answer.body)?.[1]
    return ms
  }
}
