import { BenchCloud, benchImage, inParallel, type BenchCredentials } from './bench-cloud.ts'

const statements = 50
const clients = 16
const rounds = 5

const loads: readonly [
  name: string,
  calls: number,
  call: (bench: BenchCloud, as: BenchCredentials, index: number) => Promise<string>,
][] = [
  ['DescribeVpcs', 1500, (bench, as) => bench.call('DescribeVpcs', {}, as)],
  [
    'RunInstances',
    300,
    (bench, as) =>
      bench.call(
        'RunInstances',
        { ImageId: benchImage, MinCount: 1, MaxCount: 1, InstanceType: 't3.micro' },
        as,
      ),
  ],
]

/** Whole calls by a user whose policies have 50 statements, in turns with those of the root, whom none is asked for. */
export async function authorisedCalls(): Promise<void> {
  const bench = await BenchCloud.open({ loops: false, nodes: 50, audit: 'none' })
  try {
    const user = await userOf(bench)
    for (const [name, calls, call] of loads) {
      const took = { user: [] as number[], root: [] as number[] }
      for (let round = 0; round <= rounds; round += 1) {
        for (const [which, as] of [
          ['user', user],
          ['root', bench.credentials],
        ] as const) {
          const seconds = await inParallel(
            calls,
            clients,
            async (index) => void (await call(bench, as, index)),
          )
          if (round > 0) took[which].push(calls / seconds) // the first warms
        }
      }
      const [ours, floor] = [middle(took.user), middle(took.root)]
      process.stdout.write(
        `${name.padEnd(14)} ${ours.toFixed(0).padStart(6)} calls a second by ${statements} statements, ${floor.toFixed(0).padStart(6)} by the root: ${(ours / floor).toFixed(2)}\n`,
      )
    }
  } finally {
    await bench.close()
  }
}

const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

/** A user whose last statement allows; those before it are about the same actions and have conditions. */
async function userOf(bench: BenchCloud): Promise<BenchCredentials> {
  const all = Array.from({ length: statements }, (_none, index) =>
    index === statements - 1
      ? { Effect: 'Allow', Action: 'ec2:*', Resource: '*' }
      : {
          Effect: index % 5 === 0 ? 'Deny' : 'Allow',
          Action: index % 3 === 0 ? 'ec2:*' : ['ec2:DescribeVpcs', 'ec2:RunInstances'],
          Resource: index % 2 === 0 ? `arn:aws:ec2:*:*:instance/i-${index}*` : '*',
          Condition: { StringEquals: { [`aws:PrincipalTag/team-${index}`]: 'red' } },
        },
  )
  const halves = [all.slice(0, 25), all.slice(25)]
  await bench.iam('CreateUser', { UserName: 'bench' })
  for (const [index, half] of halves.entries()) {
    const document = JSON.stringify({ Version: '2012-10-17', Statement: half })
    const made = await bench.iam('CreatePolicy', { PolicyName: `p${index}`, PolicyDocument: document })
    const arn = /<Arn>([^<]+)</.exec(made)![1]!
    await bench.iam('AttachUserPolicy', { UserName: 'bench', PolicyArn: arn })
  }
  const key = await bench.iam('CreateAccessKey', { UserName: 'bench' })
  const text = (name: string) => new RegExp(`<${name}>([^<]+)<`).exec(key)![1]!
  return {
    accountId: bench.credentials.accountId,
    accessKeyId: text('AccessKeyId'),
    secretAccessKey: text('SecretAccessKey'),
  }
}
