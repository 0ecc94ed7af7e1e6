import * as sdk from '@aws-sdk/client-s3'
import { presignRequest } from '@mallee/aws-protocol'
import { neededPermissions, type S3Operation } from '@mallee/s3-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { s3Actions } from '../src/actions/s3-actions.ts'
import { baseInputs } from './coverage-inputs.ts'
import {
  allow,
  document,
  everything,
  formFields,
  PrincipalWorld,
  type PrincipalKind,
  type Signing,
} from './principal-world.ts'
import { WalrusUnderTest } from './walrus-under-test.ts'

/**
 * Every operation of S3 × every kind of principal, and every permission that an operation needs taken away by itself:
 * refused in S3's words, and with nothing done.
 */
let walrus: WalrusUnderTest
let world: PrincipalWorld
let owner: sdk.S3Client
let kinds: readonly PrincipalKind[]

beforeAll(async () => {
  walrus = await WalrusUnderTest.start()
  world = new PrincipalWorld(walrus)
  owner = walrus.sdk()
  await owner.send(new sdk.CreateBucketCommand({ Bucket: 'covered', ObjectLockEnabledForBucket: true }))
  await owner.send(new sdk.CreateBucketCommand({ Bucket: 'plain' }))
  for (const Bucket of ['covered', 'plain'])
    await owner.send(new sdk.PutObjectCommand({ Bucket, Key: 'k', Body: 'bytes' }))
  kinds = await world.kinds()
})
afterAll(() => walrus.stop())

type Outcome = readonly [status: number, code: string]

async function send(who: Signing, operation: string, input: object): Promise<Outcome> {
  const Command = (sdk as never as Record<string, new (input: object) => never>)[`${operation}Command`]!
  try {
    const answer = (await world.sdk(who).send(new Command(input))) as {
      $metadata: { httpStatusCode: number }
      Errors?: { Code: string }[]
    }
    const [refused] = answer.Errors ?? [] // of DeleteObjects, one by one
    return refused ? [403, refused.Code] : [answer.$metadata.httpStatusCode, '']
  } catch (error) {
    const { name, $metadata } = error as sdk.S3ServiceException
    // An answer to HEAD has a status and no words.
    return [$metadata?.httpStatusCode ?? 0, operation.startsWith('Head') ? '' : name]
  }
}

/** Of a bucket that is there, for one that is not tells everybody so. */
const inputOf = async (operation: string) =>
  operation === 'DeleteBucket' ? { Bucket: 'covered' } : baseInputs(operation, owner)

const expected = (fate: PrincipalKind['fate'], operation: string) =>
  fate === 'allowed' ? fate : operation.startsWith('Head') ? [fate[0], ''] : fate

/** Every row of the index but what tells of the calls themselves. */
async function dump(): Promise<Record<string, string[]>> {
  return walrus.walrus.index.read(async (db) => {
    const found: Record<string, string[]> = {}
    for (const { name } of await db.introspection.getTables()) {
      if (/^(?:audit|usage|traffic)/.test(name)) continue
      const rows = await db
        .selectFrom(name as never)
        .selectAll()
        .execute()
      found[name] = rows.map((row) => JSON.stringify(row)).toSorted()
    }
    return found
  })
}

/** Of one's own account, and so nobody else's to refuse. */
const atHome = new Set(['ListBuckets', 'CreateBucket'])

describe.each([...s3Actions.keys()].map((operation) => ({ operation })))('$operation', ({ operation }) => {
  test('is for whom the policies allow it', async () => {
    const refusing = await inputOf(operation)
    const before = await dump()
    for (const { name, who, fate } of kinds.filter((kind) => kind.fate !== 'allowed'))
      expect([name, ...(await send(who, operation, refusing))]).toEqual([name, ...expected(fate, operation)])
    const foreigner = world.foreigner()
    await world.believed()
    if (!atHome.has(operation))
      expect((await send(foreigner, operation, refusing))[0], 'another account’s user').toBe(403)
    expect(await dump()).toEqual(before)
    for (const { name, who } of kinds.filter((kind) => kind.fate === 'allowed')) {
      const [status] = await send(who, operation, await inputOf(operation))
      expect([name, status === 403]).toEqual([name, false])
    }
  })

  test('needs each of its permissions', async () => {
    const input = (await inputOf(operation)) as Record<string, unknown>
    const needed = [
      ...new Set(neededPermissions(operation as S3Operation, input).map(({ action }) => action)),
    ]
    const only = world.user([allow(needed)])
    const lacking = needed.map((action) => ({
      action,
      who: world.user([allow(everything), document({ Effect: 'Deny', Action: action })]),
    }))
    await world.believed()
    for (const { action, who } of lacking) {
      if (action === 's3:BypassGovernanceRetention') continue // is asked for only where it takes something away
      expect([action, (await send(who, operation, input))[0]]).toEqual([action, 403])
    }
    expect((await send(only, operation, input))[0]).not.toBe(403)
  })
})

/** A form with one file in it. */
function post(fields: Record<string, string>) {
  const boundary = 'the-boundary'
  const part = (name: string, value: string, extra = '') =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${extra}\r\n\r\n${value}\r\n`
  const parts = Object.entries(fields).map(([name, value]) => part(name, value))
  const body = `${parts.join('')}${part('file', 'x', '; filename="x"')}--${boundary}--\r\n`
  const headers = {
    'content-type': `multipart/form-data; boundary=${boundary}`,
    'content-length': String(Buffer.byteLength(body)),
  }
  return walrus.send({ method: 'POST', path: '/signed', headers, body })
}

const presigned = (who: Signing) =>
  presignRequest(
    { method: 'GET', rawPath: '/signed/k', headers: { host: new URL(walrus.url).host } },
    { credentials: who, region: 'us-east-1', service: 's3', now: new Date(), expiresSeconds: 60 },
  )

test('presigned addresses and forms are what their signer may do', async () => {
  await owner.send(new sdk.CreateBucketCommand({ Bucket: 'signed' }))
  await owner.send(new sdk.PutObjectCommand({ Bucket: 'signed', Key: 'k', Body: 'bytes' }))
  for (const { name, who, fate } of kinds) {
    const reply = await walrus.send({ path: `/signed/k?${presigned(who)}` })
    expect([name, reply.status < 300 ? 'allowed' : [reply.status, reply.code]]).toEqual([name, fate])
    const posted = await post(formFields(who, 'signed', 'by-form'))
    expect([name, posted.status < 300 ? 'allowed' : [posted.status, posted.code]]).toEqual([name, fate])
  }
})

test('of several keys in one request each is judged by itself', async () => {
  const who = world.user([allow('s3:DeleteObject', 'arn:aws:s3:::plain/mine-*')])
  await world.believed()
  for (const Key of ['mine-1', 'other-1'])
    await owner.send(new sdk.PutObjectCommand({ Bucket: 'plain', Key, Body: 'x' }))
  const Delete = { Objects: [{ Key: 'mine-1' }, { Key: 'other-1' }] }
  const answer = await world.sdk(who).send(new sdk.DeleteObjectsCommand({ Bucket: 'plain', Delete }))
  expect(answer.Deleted?.map(({ Key }) => Key)).toEqual(['mine-1'])
  expect(answer.Errors?.map(({ Key, Code }) => [Key, Code])).toEqual([['other-1', 'AccessDenied']])
  await owner.send(new sdk.HeadObjectCommand({ Bucket: 'plain', Key: 'other-1' }))
})

test('the source of a copy is asked for as the read that it is', async () => {
  const put = allow('s3:PutObject', 'arn:aws:s3:::covered/*')
  const reads = (resource: string) => world.user([put, allow('s3:GetObject', resource)])
  const [right, wrong] = [reads('arn:aws:s3:::covered/k'), reads('arn:aws:s3:::covered/other')]
  await world.believed()
  const copy = { Bucket: 'covered', Key: 'copied', CopySource: 'covered/k' }
  expect(await send(wrong, 'CopyObject', copy)).toEqual([403, 'AccessDenied'])
  expect((await send(right, 'CopyObject', copy))[0]).toBe(200)
  const upload = await owner.send(new sdk.CreateMultipartUploadCommand({ Bucket: 'covered', Key: 'copied' }))
  const part = { ...copy, UploadId: upload.UploadId, PartNumber: 1 }
  expect(await send(wrong, 'UploadPartCopy', part)).toEqual([403, 'AccessDenied'])
  expect((await send(right, 'UploadPartCopy', part))[0]).toBe(200)
})
