import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { until, type CloudClient, type Guest, type TestHost } from '@mallee/testkit'

/** What every story of a real cloud does with guests. */
export interface Story {
  readonly host: TestHost
  readonly client: CloudClient
}

/** Parts of a story by what each of them shows. */
export type StoryChapters = Readonly<Record<string, (story: Story) => Promise<void>>>

// oxlint-disable-next-line typescript/no-explicit-any -- answers of every action are read here
export type Json = any

const bootSeconds = 120

async function starterImage(client: CloudClient): Promise<string> {
  const answer = await client.aws(
    'ec2',
    'describe-images',
    '--owners',
    'self',
    '--filters',
    'Name=name,Values=mallee-starter',
  )
  return answer.Images[0].ImageId as string
}

export async function sshGroup(client: CloudClient): Promise<string> {
  const answer = await client.aws('ec2', 'describe-security-groups', '--group-names', 'mallee-ssh')
  return answer.SecurityGroups[0].GroupId as string
}

export async function launch({ client }: Story, ...more: string[]): Promise<string[]> {
  const answer = await client.aws(
    'ec2',
    'run-instances',
    '--image-id',
    await starterImage(client),
    '--instance-type',
    't1.micro',
    '--key-name',
    'mallee',
    '--security-group-ids',
    await sshGroup(client),
    ...more,
  )
  return answer.Instances.map((instance: Json) => instance.InstanceId as string)
}

export async function reachable({ client }: Story, ids: readonly string[]): Promise<Guest[]> {
  return until(`${ids.join(' ')} let their owner in`, bootSeconds, async () => {
    const guests = await client.guests(...ids)
    for (const guest of guests) {
      if (guest.state === 'shutting-down' || guest.state === 'terminated')
        throw new Error(`${guest.id} is ${guest.state}: ${guest.reason}`)
      if (
        guest.state !== 'running' ||
        guest.publicIp === '' ||
        (await client.ssh(guest.publicIp, 'true', 8000)).code !== 0
      )
        return null
    }
    return guests
  })
}

export async function gone({ client }: Story, ids: readonly string[]): Promise<void> {
  await client.aws('ec2', 'terminate-instances', '--instance-ids', ...ids)
  await until('they are terminated', 60, async () =>
    (await client.guests(...ids)).every((guest) => guest.state === 'terminated'),
  )
}

export const pidOf = (stateDir: string, daemon: string): number =>
  (JSON.parse(readFileSync(`${stateDir}/run/${daemon}.pid`, 'utf8')) as { pid: number }).pid

export function qemuOf(instanceId: string): number {
  const lines = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n')
  const line = lines.find((entry) => entry.includes(`guest=${instanceId},`))
  return line ? Number(line.trim().split(' ')[0]) : 0
}

/** Runs a command where the guests of the machine's own node live. */
export const inNode = (story: Story, ...command: string[]): Promise<string> => {
  const anchor = pidOf(story.host.stateDir, 'anchor')
  return story.host.must('nsenter', ['-t', String(anchor), '-n', '-m', '-p', ...command])
}

/** A call of the admin's door. */
export function adminPost<T>(socketPath: string, url: string, body: object): Promise<T> {
  const payload = JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const call = request(
      { socketPath, method: 'POST', path: url, headers: { 'content-type': 'application/json' } },
      (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('end', () => resolve(JSON.parse(text) as T))
      },
    )
    call.on('error', reject)
    call.end(payload)
  })
}
