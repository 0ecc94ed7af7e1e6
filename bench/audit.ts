import { BenchCloud, benchImage, inParallel } from './bench-cloud.ts'

const clients = 16
const rounds = 3

/** What is measured: a name, how many calls a round, and one of them. */
const loads: readonly [
  name: string,
  calls: number,
  call: (bench: BenchCloud, index: number) => Promise<string>,
][] = [
  ['reads (DescribeRegions)', 4000, (bench) => bench.call('DescribeRegions')],
  [
    'changes (CreateKeyPair)',
    1000,
    (bench, index) => bench.call('ImportKeyPair', { KeyName: `k-${index}`, PublicKeyMaterial: publicKey }),
  ],
  [
    'launches (RunInstances)',
    600,
    (bench) =>
      bench.call('RunInstances', { ImageId: benchImage, MinCount: 1, MaxCount: 1, InstanceType: 't3.micro' }),
  ],
]

const publicKey = Buffer.from(
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl bench',
).toString('base64')

/**
 * Calls a second at the public door with every call kept on disk before it is answered, against the same without, in turns, each on
 * a record of its own: sixteen clients at once, and one alone, which waits for each commit by itself.
 */
export async function auditBench(): Promise<void> {
  const on = await BenchCloud.open({ loops: false, nodes: 50 })
  const off = await BenchCloud.open({ loops: false, nodes: 50, audit: 'none' })
  try {
    for (const [name, calls, call] of loads) {
      for (const width of [clients, 1]) {
        const count = width === 1 ? calls / 4 : calls
        const took = { on: [] as number[], off: [] as number[] }
        let next = 0
        for (let round = 0; round <= rounds; round += 1) {
          for (const [which, bench] of [
            ['on', on],
            ['off', off],
          ] as const) {
            const from = (next += count)
            const seconds = await inParallel(count, width, async (index) => {
              await call(bench, width * 10_000_000 + from + index)
            })
            if (round > 0) took[which].push(count / seconds) // the first warms
          }
        }
        tell(`${name}, ${width} at once`, middle(took.on), middle(took.off))
      }
    }
  } finally {
    await on.close()
    await off.close()
  }
}

const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

function tell(what: string, on: number, off: number): void {
  process.stdout.write(
    `${what.padEnd(38)} ${on.toFixed(0).padStart(6)} calls a second audited, ${off.toFixed(0).padStart(6)} not: ${(on / off).toFixed(2)}\n`,
  )
}
