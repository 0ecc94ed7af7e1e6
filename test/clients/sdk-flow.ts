/** AWS's newest SDK for JavaScript, as npm has it: the same day, in its words. */
import {
  CreateKeyPairCommand,
  CreateTagsCommand,
  DeleteKeyPairCommand,
  DeregisterImageCommand,
  DescribeKeyPairsCommand,
  EC2Client,
  paginateDescribeInstances,
  RegisterImageCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
  waitUntilImageAvailable,
  waitUntilInstanceRunning,
  waitUntilInstanceTerminated,
} from '@aws-sdk/client-ec2'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { assert, must } from '@mallee/base'

const { MALLEE_HOST: host, MALLEE_PORT: port, MALLEE_TLS: tls, MALLEE_IMAGE_LOCATION: location } = process.env
const name = must(process.env['MALLEE_FLOW'], 'MALLEE_FLOW')
const endpoint = `${tls === '1' ? 'https' : 'http'}://${host}:${port}`
const client = new EC2Client({ region: 'us-east-1', endpoint })
const step = (what: string) => process.stdout.write(`step ${what}\n`)
const waiting = { client, minDelay: 1, maxDelay: 1, maxWaitTime: 90 }

step('who am I')
const { Account: account } = await new STSClient({ region: 'us-east-1', endpoint }).send(
  new GetCallerIdentityCommand({}),
)
assert(/^\d{12}$/.test(account ?? ''), `the account is ${account}`)

step('key pairs')
const pair = await client.send(new CreateKeyPairCommand({ KeyName: name }))
assert(pair.KeyMaterial?.includes('PRIVATE KEY') ?? false, 'no private key')
const pairs = await client.send(new DescribeKeyPairsCommand({ KeyNames: [name] }))
assert(pairs.KeyPairs?.[0]?.KeyFingerprint === pair.KeyFingerprint, 'another fingerprint')

step('images')
const registered = await client.send(new RegisterImageCommand({ Name: name, ImageLocation: location }))
const imageId = must(registered.ImageId, 'an image id')
await waitUntilImageAvailable(waiting, { ImageIds: [imageId] })

step('launch')
const launched = await client.send(
  new RunInstancesCommand({
    ImageId: imageId,
    InstanceType: 't1.micro',
    MinCount: 1,
    MaxCount: 1,
    KeyName: name,
    TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'flow', Value: name }] }],
  }),
)
const id = must(launched.Instances?.[0]?.InstanceId, 'an instance id')
await waitUntilInstanceRunning(waiting, { InstanceIds: [id] })

step('describe and tag')
await client.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: 'Name', Value: name }] }))
const found: (string | undefined)[] = []
const filters = { Filters: [{ Name: 'tag:Name', Values: [name] }] }
for await (const page of paginateDescribeInstances({ client, pageSize: 5 }, filters))
  for (const reservation of page.Reservations ?? [])
    found.push(...(reservation.Instances ?? []).map((instance) => instance.InstanceId))
assert(found.length === 1 && found[0] === id, `found ${found.join(' ')}`)

step('terminate')
await client.send(new TerminateInstancesCommand({ InstanceIds: [id] }))
await waitUntilInstanceTerminated(waiting, { InstanceIds: [id] })
await client.send(new DeregisterImageCommand({ ImageId: imageId }))
await client.send(new DeleteKeyPairCommand({ KeyName: name }))
step('done')
