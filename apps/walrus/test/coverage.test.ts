import { readFileSync, writeFileSync } from 'node:fs'
import * as sdk from '@aws-sdk/client-s3'
import { structNamed, type ServiceModel } from '@mallee/aws-protocol'
import { s3Model } from '@mallee/s3-api'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { s3Actions } from '../src/actions/s3-actions.ts'
import type { S3Action } from '../src/actions/s3-context.ts'
import { baseInputs, requiredInputs, sampleOf } from './coverage-inputs.ts'
import { WalrusUnderTest } from './walrus-under-test.ts'

/**
 * What walrus makes of every header, parameter and document of every operation, found out by sending it: a member that
 * is listed as honoured must be read by its action, any other refused by its name. `docs/coverage-s3.json` is made here:
 * `MALLEE_WRITE_COVERAGE=1 npx vitest run apps/walrus/test/coverage.test.ts`.
 */
const model: ServiceModel = s3Model()
const reportFile = new URL('../../../docs/coverage-s3.json', import.meta.url)

/** Judged by the door for every action: the address, who owns it, who pays, how the bytes are framed and summed. */
const ofTheDoor = new Set([
  'Bucket',
  'ExpectedBucketOwner',
  'RequestPayer',
  'Body',
  'ContentLength',
  'ContentMD5',
  'ChecksumAlgorithm',
])

/** Refused but for the values that ask for what is so anyway. */
const harmlessAnyway = new Set([
  'SkipDestinationValidation',
  'ConfirmRemoveSelfBucketAccess',
  'TransitionDefaultMinimumObjectSize',
])

let test: WalrusUnderTest
let client: sdk.S3Client
const read = new Set<string>()

beforeAll(async () => {
  test = await WalrusUnderTest.start(undefined, { webhooks: { ops: { url: 'http://127.0.0.1:1/' } } })
  client = test.sdk()
  for (const action of s3Actions.values()) watch(action)
  await client.send(new sdk.CreateBucketCommand({ Bucket: 'covered', ObjectLockEnabledForBucket: true }))
  await client.send(new sdk.CreateBucketCommand({ Bucket: 'plain' }))
  for (const Bucket of ['covered', 'plain'])
    await client.send(new sdk.PutObjectCommand({ Bucket, Key: 'k', Body: 'bytes' }))
})
afterAll(() => test.stop())

/** Notes which members of its input the action asks for. */
function watch(action: S3Action): void {
  const actions = s3Actions as Map<string, S3Action>
  const run = action.run as (context: unknown, input: object) => Promise<never>
  const watched = (context: unknown, input: object) =>
    run(
      context,
      new Proxy(input, {
        get: (target, name, receiver) => (read.add(String(name)), Reflect.get(target, name, receiver)),
        has: (target, name) => (read.add(String(name)), Reflect.has(target, name)),
      }),
    )
  actions.set(action.name, { ...action, run: watched as never })
}

const inputMembers = (operation: string): string[] => {
  const shape = model.operations[operation]?.in
  return shape === undefined ? [] : Object.keys(structNamed(model, shape).members)
}

async function send(
  operation: string,
  input: object,
): Promise<{ status: number; code: string; message: string }> {
  const Command = (sdk as never as Record<string, new (input: object) => never>)[`${operation}Command`]!
  try {
    const answer = (await client.send(new Command(input))) as { $metadata: { httpStatusCode: number } }
    return { status: answer.$metadata.httpStatusCode, code: '', message: '' }
  } catch (error) {
    const { name, message, $metadata } = error as sdk.S3ServiceException
    return { status: $metadata?.httpStatusCode ?? 0, code: name, message }
  }
}

interface Report {
  readonly service: 's3'
  readonly performed: Record<string, { honoured: string[]; refused: string[] }>
  readonly notImplemented: string[]
}

const otherEndpoints = new Set([
  'ListDirectoryBuckets',
  'WriteGetObjectResponse',
  'CreateSession',
  'RenameObject',
])

it('every operation that is not performed says so by its name', async () => {
  for (const operation of Object.keys(model.operations)) {
    if (s3Actions.has(operation) || otherEndpoints.has(operation)) continue
    const answer = await send(operation, {
      ...(await baseInputs(operation, client)),
      ...requiredInputs(model, operation),
    })
    expect([operation, answer.status, answer.code]).toEqual([operation, 501, 'NotImplemented'])
    expect(answer.message).toContain(operation)
  }
}, 120_000)

it.each([...s3Actions.keys()])('%s reads what it honours and refuses the rest by name', async (operation) => {
  const action = s3Actions.get(operation)!
  for (const member of inputMembers(operation)) {
    if (ofTheDoor.has(member)) continue
    const base = (await baseInputs(operation, client)) as Record<string, unknown>
    const value = sampleOf(model, operation, member)
    if (value === undefined) continue
    read.clear()
    const answer = await send(operation, { ...base, [member]: base[member] ?? value })
    expect(answer.status, `${operation} with ${member}: ${answer.code} ${answer.message}`).not.toBe(500)
    if (action.understands.has(member)) expect([member, read.has(member)]).toEqual([member, true])
    else if (!harmlessAnyway.has(member)) {
      expect([member, answer.status, answer.code]).toEqual([member, 501, 'NotImplemented'])
      expect(answer.message).toContain(member)
    }
  }
})

it('the report is what the code says', () => {
  const performed = Object.fromEntries(
    [...s3Actions.values()].map((action) => {
      const members = inputMembers(action.name)
      const honoured = members.filter((member) => action.understands.has(member) || ofTheDoor.has(member))
      return [action.name, { honoured, refused: members.filter((member) => !honoured.includes(member)) }]
    }),
  )
  const names = Object.keys(model.operations)
  const report: Report = {
    service: 's3',
    performed: Object.fromEntries(Object.entries(performed).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    notImplemented: names.filter((name) => !s3Actions.has(name)).toSorted(),
  }
  const text = `${JSON.stringify(report, null, 2)}\n`
  if (process.env['MALLEE_WRITE_COVERAGE']) writeFileSync(reportFile, text)
  expect(JSON.parse(readFileSync(reportFile, 'utf8'))).toEqual(report)
})
