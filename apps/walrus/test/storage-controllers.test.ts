import { createHash, randomBytes } from 'node:crypto'
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { createAuthority } from '@mallee/pki'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WalrusUnderTest, type AgentRequest } from './walrus-under-test.ts'

let walrus: WalrusUnderTest
beforeAll(async () => {
  walrus = await WalrusUnderTest.start()
  await walrus.sdk().send(new CreateBucketCommand({ Bucket: 'alices' }))
  await walrus.sdk().send(new PutObjectCommand({ Bucket: 'alices', Key: 'secret', Body: 'hers' }))
})
afterAll(() => walrus.stop())

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

const ask = (path: string, asked: AgentRequest = {}) => walrus.asAgent(path, asked)

const put = (path: string, body: Buffer, headers: Record<string, string> = {}) =>
  ask(path, { method: 'PUT', body, headers: { 'x-amz-content-sha256': sha256(body), ...headers } })

test('storage controllers keep, read, list and remove what is theirs, by certificate', async () => {
  const block = randomBytes(512 * 1024)
  expect((await put('/mallee-ebs/agent-7/a/blocks/one', block)).status).toBe(200)
  expect((await put('/mallee-ebs/agent-7/a/blocks/two', Buffer.from('2'))).status).toBe(200)
  expect((await ask('/mallee-ebs/agent-7/a/blocks/one')).body.equals(block)).toBe(true)
  expect(await ask('/mallee-ebs/agent-7/a/blocks/one', { method: 'HEAD' })).toMatchObject({ status: 200 })
  const listed = await ask('/mallee-ebs?list-type=2&prefix=agent-7%2F')
  expect([...listed.body.toString().matchAll(/<Key>([^<]*)</g)].map((match) => match[1])).toEqual([
    'agent-7/a/blocks/one',
    'agent-7/a/blocks/two',
  ])
  expect((await ask('/mallee-ebs/agent-7/a/blocks/one', { method: 'DELETE' })).status).toBe(204)
  expect((await ask('/mallee-ebs/agent-7/a/blocks/one')).status).toBe(404)
})

test('bytes that are not those of their digest leave nothing, nor do bytes without one', async () => {
  const body = Buffer.from('bytes')
  const wrong = { 'x-amz-content-sha256': sha256(Buffer.from('others')) }
  expect((await put('/mallee-ebs/wrong', body, wrong)).status).toBe(400)
  expect((await ask('/mallee-ebs/bare', { method: 'PUT', body })).status).toBe(403)
  for (const name of ['wrong', 'bare']) expect((await ask(`/mallee-ebs/${name}`)).status).toBe(404)
})

test('they reach no bucket of anybody’s, and change nothing about their own', async () => {
  const refused: [string, string][] = [
    ['GET', '/'],
    ['GET', '/alices'],
    ['GET', '/alices/secret'],
    ['HEAD', '/alices/secret'],
    ['DELETE', '/alices/secret'],
    ['POST', '/mallee-ebs?delete'],
    ['PUT', '/mallee-ebs'],
    ['PUT', '/mallee-ebs?policy'],
    ['DELETE', '/mallee-ebs'],
  ]
  for (const [method, path] of refused)
    expect([method, path, (await ask(path, { method })).status]).toEqual([method, path, 403])
  const body = Buffer.from('x')
  expect((await put('/alices/new', body)).status).toBe(403)
  expect(
    (await put('/mallee-ebs/copy', Buffer.alloc(0), { 'x-amz-copy-source': '/alices/secret' })).status,
  ).toBe(403)
  expect((await ask('/mallee-ebs/copy')).status).toBe(404)
})

test('nobody else reaches that bucket: no tenant, no node, no storage controller of another cloud', async () => {
  await put('/mallee-ebs/agent-7/kept', Buffer.from('kept'))
  const alice = walrus.sdk()
  const code = (sent: Promise<unknown>) =>
    sent.then(
      () => 'success',
      (error: { name: string }) => error.name,
    )
  const Bucket = 'mallee-ebs'
  expect(await code(alice.send(new CreateBucketCommand({ Bucket })))).toBe('InvalidBucketName')
  expect(await code(alice.send(new GetObjectCommand({ Bucket, Key: 'agent-7/kept' })))).toBe('AccessDenied')
  expect(await code(alice.send(new PutObjectCommand({ Bucket, Key: 'agent-7/kept', Body: 'x' })))).toBe(
    'AccessDenied',
  )
  const { Buckets } = await alice.send(new ListBucketsCommand({}))
  expect(Buckets!.map(({ Name }) => Name)).not.toContain(Bucket)
  for (const kind of ['node', 'walrus'])
    expect([kind, (await ask('/mallee-ebs/agent-7/kept', { kind })).status]).toEqual([kind, 403])
  const authority = await createAuthority('another cloud', Date.now())
  expect((await ask('/mallee-ebs/agent-7/kept', { authority })).status).toBe(403)
  expect((await ask('/mallee-ebs/agent-7/kept')).body.toString()).toBe('kept')
})

test('an object’s access list cannot be opened by them', async () => {
  await put('/mallee-ebs/agent-7/listed', Buffer.from('private'), { 'x-amz-acl': 'public-read' })
  await put('/mallee-ebs/agent-7/listed?acl', Buffer.alloc(0), { 'x-amz-acl': 'public-read' })
  expect((await walrus.send({ path: '/mallee-ebs/agent-7/listed' })).status).toBe(403)
})
