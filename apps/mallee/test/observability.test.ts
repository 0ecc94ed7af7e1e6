import { generateKeyPairSync } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signRequest } from '@mallee/aws-protocol'
import { DaemonsUnderTest } from './daemons-under-test.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const userData = '#!/bin/sh\necho hunter2-in-the-user-data\n'
let daemons: DaemonsUnderTest
let collector: Server
interface SentSpan {
  readonly service: string
  readonly name: string
  readonly traceId: string
}
const spans: SentSpan[] = []
/** Everything that must not be said anywhere, by what it is. */
const secrets: Record<string, string> = {}
/** Everything that was answered with an error. */
const errors: string[] = []
let launchId = ''
let instanceId = ''

async function call(
  action: string,
  parameters: Record<string, string> = {},
  options: { headers?: Record<string, string>; secret?: string } = {},
): Promise<{ status: number; body: string; requestId: string }> {
  const body = Buffer.from(
    new URLSearchParams({ Action: action, Version: '2016-11-15', ...parameters }).toString(),
  )
  const headers = {
    host: new URL(daemons.endpoint).host,
    'content-type': 'application/x-www-form-urlencoded',
  }
  const { accessKeyId, secretAccessKey } = daemons.credentials
  const signed = signRequest(
    { method: 'POST', rawPath: '/', headers, body },
    {
      credentials: { accessKeyId, secretAccessKey: options.secret ?? secretAccessKey },
      region: 'us-east-1',
      service: 'ec2',
      now: new Date(),
    },
  )
  const response = await fetch(`${daemons.endpoint}/`, {
    method: 'POST',
    headers: { ...headers, ...signed, ...options.headers },
    body,
  })
  const text = await response.text()
  if (response.status >= 300) errors.push(text)
  return { status: response.status, body: text, requestId: response.headers.get('x-amzn-requestid') ?? '' }
}

const one = (text: string, tag: string) => new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(text)?.[1] ?? ''

beforeAll(async () => {
  collector = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk: Buffer) => (text += chunk.toString()))
    request.on('end', () => {
      spans.push(...spansOf(text))
      response.end('{}')
    })
  })
  await new Promise<void>((resolve) => {
    collector.listen(0, '127.0.0.1', resolve)
  })
  const tracingEndpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
  daemons = await DaemonsUnderTest.start({ tracingEndpoint })
  await launch()
}, 120_000)
afterAll(async () => {
  await daemons?.stop()
  collector?.close()
})

function spansOf(text: string): SentSpan[] {
  const [resource] = (
    JSON.parse(text) as {
      resourceSpans: {
        resource: { attributes: { value: { stringValue: string } }[] }
        scopeSpans: { spans: SentSpan[] }[]
      }[]
    }
  ).resourceSpans
  const service = resource!.resource.attributes[0]!.value.stringValue
  return resource!.scopeSpans[0]!.spans.map(({ name, traceId: id }) => ({ service, name, traceId: id }))
}

/** A launch with everything secret that a launch can have. */
async function launch(): Promise<void> {
  const { accessKeyId, secretAccessKey } = daemons.credentials
  const s3 = new S3Client({
    endpoint: daemons.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  })
  await s3.send(new CreateBucketCommand({ Bucket: 'images' }))
  await s3.send(new PutObjectCommand({ Bucket: 'images', Key: 'disk.raw', Body: smallDisk() }))
  const image = one(
    (await call('RegisterImage', { Name: 'small', ImageLocation: 'images/disk.raw' })).body,
    'imageId',
  )
  await daemons.eventually(async () =>
    (await call('DescribeImages', { 'ImageId.1': image })).body.includes('<imageState>available'),
  )
  const key = await call('CreateKeyPair', { KeyName: 'made' })
  const run = await call(
    'RunInstances',
    {
      ImageId: image,
      MinCount: '1',
      MaxCount: '1',
      KeyName: 'made',
      UserData: Buffer.from(userData).toString('base64'),
    },
    { headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } },
  )
  expect(run.status, run.body).toBe(200)
  launchId = run.requestId
  instanceId = one(run.body, 'instanceId')
  await daemons.eventually(async () =>
    (await call('DescribeInstances')).body.includes('<name>running</name>'),
  )
  await call('GetConsoleOutput', { InstanceId: instanceId })
  await call('RunInstances', {
    ImageId: image,
    MinCount: '1',
    MaxCount: '1',
    UserData: '%%not-base64-hunter3%%',
  })
  await call('DescribeInstances', {}, { secret: 'a-wrong-secret-that-somebody-typed' })
  const other = await daemons.admin<{ secretAccessKey: string }>('POST', '/admin/v1/accounts', {
    name: 'other',
  })
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await call('ImportKeyPair', {
    KeyName: 'wrong',
    PublicKeyMaterial: Buffer.from(privateKey.export({ type: 'pkcs1', format: 'pem' })).toString('base64'),
  })
  const pem = key.body
    .replaceAll('&#xD;', '')
    .split('\n')
    .filter((line) => /^[A-Za-z0-9+/=]{40,}$/.test(line))
  const keyring = JSON.parse(await readFile(path.join(daemons.dir, 'cloud', 'keyring.json'), 'utf8')) as {
    keys: Record<string, string>
  }
  Object.assign(secrets, {
    userData: 'hunter2-in-the-user-data',
    userDataAsSent: Buffer.from(userData).toString('base64').slice(8, 48),
    refusedUserData: 'not-base64-hunter3',
    adminSecret: secretAccessKey,
    otherSecret: other.secretAccessKey,
    wrongSecret: 'a-wrong-secret-that-somebody-typed',
    privateKeyLine: pem[3] ?? '',
    importedPrivateKey: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString().split('\n')[3]!,
    keyring: Object.values(keyring.keys)[0]!,
    ...Object.fromEntries(daemons.joinSecrets.map((secret, index) => [`joinToken${index}`, secret])),
  })
}

function smallDisk(): Buffer {
  const disk = Buffer.alloc(3 * 1024 * 1024)
  disk.writeUInt16LE(0xaa55, 510)
  disk[446 + 4] = 0x83
  disk.writeUInt32LE(2048, 454)
  disk.writeUInt32LE(4096, 458)
  return disk
}

describe('a launch through all daemons', () => {
  test('leaves no secret in any log line, error or figure', async () => {
    const said: Record<string, string> = { ...(await daemons.logs()), errors: errors.join('\n') }
    for (const [name, answer] of Object.entries(await daemons.health('/metrics'))) said[name] = answer.body
    expect(errors.map((text) => one(text, 'Code'))).toEqual([
      'InvalidUserData.Malformed',
      'SignatureDoesNotMatch',
      'InvalidKey.Format',
    ])
    expect(said['cloud-controller.log']).toContain('"level":30')
    expect(Object.entries(secrets).filter(([, secret]) => secret.length < 8)).toEqual([])
    const leaks = Object.entries(said).flatMap(([where, text]) =>
      Object.entries(secrets)
        .filter(([, secret]) => text.includes(secret))
        .map(([what]) => `${what} in ${where}`),
    )
    expect(leaks).toEqual([])
  })

  test('is found in every log by the one request id that its client saw', async () => {
    const logs = await daemons.logs()
    const lines = (name: string) =>
      logs[name]!.split('\n')
        .filter((line) => line.includes(launchId))
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines('cloud-controller.log')).toContainEqual(expect.objectContaining({ request_id: launchId }))
    expect(lines('node-controller.log')).toContainEqual(
      expect.objectContaining({ request_id: launchId, instanceId, msg: 'started' }),
    )
    const { entries } = await daemons.admin<{ entries: { what: string; requestId: string }[] }>(
      'GET',
      `/admin/v1/history/${instanceId}`,
    )
    expect(entries.slice(0, 2).map((entry) => [entry.what, entry.requestId])).toEqual([
      ['RunInstances', launchId],
      ['domainRunning', launchId],
    ])
  })

  test('is one trace from the client’s context through door, transaction, loop and agent', async () => {
    const ofLaunch = () => spans.filter((span) => span.traceId === traceId)
    const names = () => new Set(ofLaunch().map((span) => `${span.service}: ${span.name}`))
    const wanted = [
      'cloud-controller: ec2 request',
      'cloud-controller: RunInstances',
      'cloud-controller: transaction',
      'cloud-controller: reconcile instance',
      'node-controller: agent: prepare and start',
      'node-controller: agent: prepare',
      'node-controller: agent: network',
      'node-controller: agent: start',
    ]
    await daemons.eventually(() => Promise.resolve(wanted.every((name) => names().has(name))))
    expect([...names()]).toEqual(expect.arrayContaining(wanted))
    expect(JSON.stringify(spans)).not.toContain(secrets['userData'])
  })

  test('is counted by every daemon, and each says that it is ready', async () => {
    const metrics = await daemons.health('/metrics')
    const count = (name: string, pattern: RegExp) => expect(metrics[name]!.body, name).toMatch(pattern)
    count(
      'admin',
      /mallee_api_request_duration_seconds_count\{service="ec2",action="RunInstances",code="Success"\} 1/,
    )
    count('admin', /mallee_instances\{state="running",type="[a-z0-9.]+"\} 1/)
    count('admin', /mallee_record_commit_duration_seconds_count [1-9]/)
    count(
      'walrusHealth',
      /mallee_s3_request_duration_seconds_count\{operation="PutObject",code="Success"\} 1/,
    )
    count('walrusHealth', /mallee_s3_bytes_received_total 3145728/)
    count('nodeHealth', /mallee_domains\{state="running"\} 1/)
    count(
      'nodeHealth',
      /mallee_interface_bytes\{interface="eni-[0-9a-f]+",direction="sent",side="inside"\} 0/,
    )
    count('nodeHealth', /mallee_launch_step_duration_seconds_count\{step="whole"\} 1/)
    count('storageHealth', /mallee_process_resident_memory_bytes/)
    count('doorHealth', /mallee_front_door_request_duration_seconds_count\{upstream="cloud",status="2xx"\}/)
    for (const [name, answer] of Object.entries(await daemons.health('/readyz')))
      expect([name, answer.status, answer.body]).toEqual([name, 200, expect.stringContaining('"ready":true')])
    for (const answer of Object.values(await daemons.health('/healthz'))) expect(answer.status).toBe(200)
  })

  test('and fsck finds nothing', async () => {
    const result = await daemons.admin<{ findings: unknown[]; asked: string[] }>('POST', '/admin/v1/fsck', {
      graceSeconds: 0,
    })
    expect(result.findings).toEqual([])
    expect(result.asked.toSorted()).toEqual(['node', 'storage', 'walrus'])
  })
})
