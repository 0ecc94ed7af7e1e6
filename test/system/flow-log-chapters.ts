import { readFileSync, rmSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { assert } from '@mallee/base'
import { until } from '@mallee/testkit'
import { gone, inNode, launch, reachable, type Json, type Story, type StoryChapters } from './launches.ts'

const bucket = 'flow-records'
const ruleset = (story: Story) => inNode(story, 'nft', 'list', 'ruleset')

/** The lines of every object in the bucket, without their headers. */
async function records(story: Story): Promise<string[]> {
  const listed = await story.client.aws('s3api', 'list-objects-v2', '--bucket', bucket)
  const keys = ((listed?.Contents ?? []) as Json[]).map((entry) => entry.Key as string)
  const file = `${story.host.stateDir}/records.log.gz`
  const lines: string[] = []
  for (const key of keys) {
    assert(/^deep\/AWSLogs\/\d{12}\/vpcflowlogs\/us-east-1\/\d{4}\/\d\d\/\d\d\/.*\.log\.gz$/.test(key), key)
    await story.client.aws('s3api', 'get-object', '--bucket', bucket, '--key', key, file)
    lines.push(...gunzipSync(readFileSync(file)).toString('utf8').trim().split('\n').slice(1))
  }
  rmSync(file, { force: true })
  return lines
}

export const flowLogs: StoryChapters = {
  async 'flow logs bring what a guest’s interface let in and what it refused into the owner’s bucket'(story) {
    const { client, host } = story
    const [id] = (await launch(story)) as [string]
    const [guest] = await reachable(story, [id])
    const [described] = (await client.aws('ec2', 'describe-instances', '--instance-ids', id)).Reservations[0]
      .Instances
    const eni = described.NetworkInterfaces[0].NetworkInterfaceId as string
    const before = await ruleset(story)
    assert(!before.includes('mallee_flows'), 'flows are counted though nobody wants them')
    await client.aws('s3api', 'create-bucket', '--bucket', bucket)
    const of = ['--resource-type', 'NetworkInterface', '--resource-ids', eni, '--traffic-type', 'ALL']
    const to = ['--log-destination-type', 's3', '--log-destination', `arn:aws:s3:::${bucket}/deep`]
    const made = await client.aws(
      'ec2',
      ...['create-flow-logs', ...of, ...to, '--max-aggregation-interval', '60'],
    )
    const log = made.FlowLogIds[0] as string
    await until('flows are counted', 20, async () => (await ruleset(story)).includes('mallee_flows'))
    const address = guest!.publicIp
    await client.inGuest(address, 'true')
    // Port 81 is in no rule.
    await host.must('bash', ['-c', `timeout 2 bash -c 'echo > /dev/tcp/${address}/81' 2>/dev/null; true`])
    const wanted = [
      new RegExp(`^2 \\d{12} ${eni} \\S+ ${guest!.privateIp} \\d+ 22 6 \\d+ \\d+ \\d+ \\d+ ACCEPT OK$`),
      new RegExp(`^2 \\d{12} ${eni} ${guest!.privateIp} \\S+ 22 \\d+ 6 \\d+ \\d+ \\d+ \\d+ ACCEPT OK$`),
      new RegExp(`^2 \\d{12} ${eni} \\S+ ${guest!.privateIp} \\d+ 81 6 \\d+ \\d+ \\d+ \\d+ REJECT OK$`),
    ]
    await until('the records are there', 200, async () => {
      const lines = await records(story)
      return wanted.every((pattern) => lines.some((line) => pattern.test(line)))
    })
    const [state] = (await client.aws('ec2', 'describe-flow-logs', '--flow-log-ids', log)).FlowLogs
    assert(state.DeliverLogsStatus === 'SUCCESS', `delivery is ${state.DeliverLogsStatus}`)
    await client.aws('ec2', 'delete-flow-logs', '--flow-log-ids', log)
    await until('nothing is counted', 20, async () => !(await ruleset(story)).includes('mallee_flows'))
    await gone(story, [id])
    await client.aws('s3', 'rb', '--force', `s3://${bucket}`)
  },
}
