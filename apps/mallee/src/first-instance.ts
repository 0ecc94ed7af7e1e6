import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { MalleeError } from '@mallee/base'
import type { AwsClient, XmlAnswer } from './cloud-client.ts'
import { step } from './commands/command.ts'
import type { Layout } from './layout.ts'
import { run, succeeds } from './program.ts'
import { waitFor } from './wait-for.ts'

export interface Login {
  readonly instanceId: string
  readonly sshLine: string
}

const keyName = 'mallee'
const groupName = 'mallee-ssh'
const firstTag = 'mallee:first'
const bootMs = 300_000

/** A key pair, a group that lets ssh in, and an instance in it that answers: made once, found again afterwards. */
export async function ensureFirstInstance(
  layout: Layout,
  client: AwsClient,
  imageId: string,
): Promise<Login> {
  const keyFile = await ensureKey(layout, client)
  const groupId = await ensureGroup(client)
  let instance = await findFirst(client)
  if (!instance) {
    step('launching the first instance')
    const answer = await client.ec2('RunInstances', {
      ImageId: imageId,
      InstanceType: 'm1.small',
      MinCount: 1,
      MaxCount: 1,
      KeyName: keyName,
      'SecurityGroupId.1': groupId,
      'TagSpecification.1.ResourceType': 'instance',
      'TagSpecification.1.Tag.1.Key': firstTag,
      'TagSpecification.1.Tag.1.Value': 'yes',
      'TagSpecification.1.Tag.2.Key': 'Name',
      'TagSpecification.1.Tag.2.Value': 'first',
    })
    instance = answer.instancesSet.item[0] as XmlAnswer
  }
  const instanceId = instance.instanceId as string
  const address = await waitFor(() => runningAddress(client, instanceId), {
    timeoutMs: bootMs,
    failure: `${instanceId} did not begin to run`,
  })
  const options = [
    '-i',
    keyFile,
    '-o',
    'StrictHostKeyChecking=no',
    '-o',
    'UserKnownHostsFile=/dev/null',
    '-o',
    'LogLevel=ERROR',
  ]
  step('waiting for its ssh server')
  await waitFor(
    () =>
      succeeds('ssh', [
        ...options,
        '-o',
        'BatchMode=yes',
        '-o',
        'ConnectTimeout=5',
        `root@${address}`,
        'true',
      ]),
    {
      timeoutMs: bootMs,
      everyMs: 500,
      failure: `${instanceId} runs and does not let us in; aws ec2 get-console-output shows its console`,
    },
  )
  return { instanceId, sshLine: `ssh ${options.join(' ')} root@${address}` }
}

async function runningAddress(client: AwsClient, instanceId: string): Promise<string | null> {
  const answer = await client.ec2('DescribeInstances', { 'InstanceId.1': instanceId })
  const instance = answer.reservationSet.item[0].instancesSet.item[0] as XmlAnswer
  const state = instance.instanceState.name as string
  if (state === 'running') return (instance.ipAddress as string | undefined) ?? null
  if (state === 'pending') return null
  throw new MalleeError({
    code: 'LaunchFailed',
    publicMessage: `${instanceId} is ${state}: ${instance.stateReason?.message ?? 'no reason'}`,
  })
}

async function findFirst(client: AwsClient): Promise<XmlAnswer | null> {
  const answer = await client.ec2('DescribeInstances', {
    'Filter.1.Name': `tag:${firstTag}`,
    'Filter.1.Value.1': 'yes',
    'Filter.2.Name': 'instance-state-name',
    'Filter.2.Value.1': 'pending',
    'Filter.2.Value.2': 'running',
  })
  return answer.reservationSet?.item?.[0]?.instancesSet?.item?.[0] ?? null
}

async function ensureKey(layout: Layout, client: AwsClient): Promise<string> {
  const file = layout.file('keys', keyName)
  if (!existsSync(file)) {
    await mkdir(layout.file('keys'), { recursive: true, mode: 0o700 })
    await rm(`${file}.pub`, { force: true })
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', keyName, '-f', file])
    await client.ec2('DeleteKeyPair', { KeyName: keyName })
  }
  const found = await client.ec2('DescribeKeyPairs', {
    'Filter.1.Name': 'key-name',
    'Filter.1.Value.1': keyName,
  })
  if (!found.keySet?.item?.length) {
    const publicKey = await run('ssh-keygen', ['-y', '-f', file])
    await client.ec2('ImportKeyPair', {
      KeyName: keyName,
      PublicKeyMaterial: Buffer.from(publicKey.trim()).toString('base64'),
    })
  }
  await writeFile(
    layout.file('keys', 'README'),
    'The key of the first instance; ./mallee up prints the line that uses it.\n',
  )
  return file
}

async function ensureGroup(client: AwsClient): Promise<string> {
  const found = await client.ec2('DescribeSecurityGroups', {
    'Filter.1.Name': 'group-name',
    'Filter.1.Value.1': groupName,
  })
  const present = found.securityGroupInfo?.item?.[0]?.groupId as string | undefined
  if (present) return present
  const made = await client.ec2('CreateSecurityGroup', {
    GroupName: groupName,
    GroupDescription: 'ssh from anywhere',
  })
  await client.ec2('AuthorizeSecurityGroupIngress', {
    GroupId: made.groupId,
    'IpPermissions.1.IpProtocol': 'tcp',
    'IpPermissions.1.FromPort': 22,
    'IpPermissions.1.ToPort': 22,
    'IpPermissions.1.IpRanges.1.CidrIp': '0.0.0.0/0',
  })
  return made.groupId as string
}
