import { Readable } from 'node:stream'
import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2'
import { fastify } from 'fastify'
import { newUuid } from '@mallee/base'
import { createEc2Encoder } from '@mallee/ec2-api'
import { BenchCloud, benchImage } from './bench-cloud.ts'
import { figureLine, figures, type Figures } from './figures.ts'

const instances = 10_000
const perLaunch = 100
const rounds = 15
const single = 2000

/**
 * DescribeInstances of 10,000 instances against rendering the same XML from an object in memory (aim 2), and of one id
 * among them against a bare fastify route that answers as many bytes (aim: within 1 ms).
 */
export async function describeInstancesBench(): Promise<void> {
  const bench = await BenchCloud.open({ loops: false, nodes: 99, zones: 3 })
  try {
    for (let index = 0; index < instances / perLaunch; index += 1) {
      const zone = ['us-east-1a', 'us-east-1b', 'us-east-1c'][index % 3]!
      const shape = {
        ImageId: benchImage,
        MinCount: perLaunch,
        MaxCount: perLaunch,
        InstanceType: 't3.micro',
      }
      await answer(bench, 'RunInstances', { ...shape, 'Placement.AvailabilityZone': zone })
    }
    const xml = await answer(bench, 'DescribeInstances')
    const output = await parsed(xml)
    const encoder = createEc2Encoder()
    const whole: number[] = []
    const memory: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      whole.push(await timed(() => answer(bench, 'DescribeInstances')))
      const requestId = newUuid()
      memory.push(await timed(() => encoder.encode({ operation: 'DescribeInstances', output, requestId })))
    }
    report(
      'DescribeInstances, 10,000 instances',
      figures(whole.slice(2)),
      'the same XML from memory',
      figures(memory.slice(2)),
    )
    await compareOne(bench, /<instanceId>(i-[0-9a-f]+)/.exec(xml)![1]!)
  } finally {
    await bench.close()
  }
}

async function compareOne(bench: BenchCloud, id: string): Promise<void> {
  const call = bench.sign('DescribeInstances', { 'InstanceId.1': id })
  const body = (await bench.cloud.door.inject(call)).body
  const bare = fastify()
  bare.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, text, done) => done(null, text),
  )
  bare.post('/', (_request, reply) => reply.type('text/xml').send(body))
  await bare.ready()
  const ours: number[] = []
  const floor: number[] = []
  for (let round = 0; round < single; round += 1) {
    ours.push(await timed(() => bench.cloud.door.inject(call)))
    floor.push(await timed(() => bare.inject(call)))
  }
  await bare.close()
  const mine = figures(ours.slice(200))
  const theirs = figures(floor.slice(200))
  process.stdout.write(`one id among 10,000, SigV4 on: ${mine.median.toFixed(3)} ms (median)\n`)
  process.stdout.write(`a bare fastify route:          ${theirs.median.toFixed(3)} ms (median)\n`)
  process.stdout.write(`difference: ${(mine.median - theirs.median).toFixed(3)} ms (aim 1 ms or less)\n`)
}

function report(ourName: string, ours: Figures, floorName: string, floor: Figures): void {
  process.stdout.write(`${figureLine(ourName, 'ms', ours)}\n${figureLine(floorName, 'ms', floor)}\n`)
  process.stdout.write(`ratio of medians: ${(ours.median / floor.median).toFixed(2)} (aim 2 or less)\n`)
}

async function answer(bench: BenchCloud, action: string, parameters: Record<string, string | number> = {}) {
  const response = await bench.cloud.door.inject(bench.sign(action, parameters))
  if (response.statusCode !== 200) throw new Error(response.body)
  return response.body
}

async function timed(work: () => unknown): Promise<number> {
  const beganMs = performance.now()
  await work()
  return performance.now() - beganMs
}

/** The answer as an object of the model's members, as AWS's own SDK reads it. */
async function parsed(xml: string): Promise<Record<string, unknown>> {
  const client = new EC2Client({
    region: 'us-east-1',
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
    requestHandler: {
      handle: () =>
        Promise.resolve({
          response: {
            statusCode: 200,
            headers: { 'content-type': 'text/xml' },
            body: Readable.from([Buffer.from(xml)]),
          },
        }),
    } as never,
  })
  const { $metadata: _metadata, ...output } = await client.send(new DescribeInstancesCommand({}))
  client.destroy()
  return output as Record<string, unknown>
}
