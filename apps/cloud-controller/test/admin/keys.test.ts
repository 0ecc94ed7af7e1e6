import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sealedColumns } from '../../src/store/sealed-columns.ts'
import { CloudUnderTest } from '../cloud-under-test.ts'
import { iamClient, keyOf } from '../actions/iam/iam-client.ts'
import { credentialsOf, stsClient } from '../actions/sts/sts-client.ts'

/** The keyring turned over while the cloud works. */
let cloud: CloudUnderTest
const iam = iamClient(() => cloud)
const sts = stsClient(() => cloud)

beforeAll(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none' })
})
afterAll(() => cloud.stop())

type Status = { id: string; seals: boolean; secrets: number }[]
async function keys(verb?: 'rotate' | 'retire'): Promise<Status> {
  const response = await cloud.cloud.adminDoor.inject(
    verb
      ? { method: 'POST', url: `/admin/v1/keys/${verb}`, payload: {} }
      : { method: 'GET', url: '/admin/v1/keys' },
  )
  if (response.statusCode !== 200) throw new Error(response.body)
  return response.json() as Status
}

test('every column that a migration calls sealed is one that a rotation wraps anew', () => {
  const dir = new URL('../../src/store/migrations/', import.meta.url)
  const found = readdirSync(dir).flatMap((name) => {
    const text = readFileSync(new URL(name, dir), 'utf8')
    const tables = [...text.matchAll(/(?:create table|alter table) "?(\w+)"?([^`]*)`/g)]
    return tables.flatMap(([, table, columns]) =>
      [...columns!.matchAll(/\b(sealed_\w+) text/g)].map(([, column]) => `${table}.${column}`),
    )
  })
  expect(found.length).toBeGreaterThan(8)
  expect(sealedColumns.map(({ table, column }) => `${table}.${column}`).toSorted()).toEqual(found.toSorted())
})

test('a rotation wraps every secret anew, ends no session and refuses nobody', async () => {
  await cloud.addNode('node-1')
  await iam('CreateUser', { UserName: 'ann' })
  const ann = await keyOf(iam, cloud.admin, 'ann')
  const session = credentialsOf(await sts('GetSessionToken', {}, ann), cloud.admin.accountId)
  const before = await keys()
  expect(before).toMatchObject([{ id: 'k1', seals: true }])
  const pages = await cloud.call('DescribeInstanceTypes', { MaxResults: 5 })
  const calls = Array.from({ length: 20 }, () => sts('GetCallerIdentity', {}, ann))
  const after = await keys('rotate')
  expect(after).toEqual([
    { id: 'k1', seals: false, secrets: 0 },
    // One more: the new key of session tokens.
    { id: 'k2', seals: true, secrets: before[0]!.secrets + 1 },
  ])
  for (const call of await Promise.all(calls)) expect(call.status).toBe(200)
  expect((await sts('GetCallerIdentity', {}, ann)).status).toBe(200)
  expect((await sts('GetCallerIdentity', {}, session)).status).toBe(200)
  const next = { MaxResults: 5, NextToken: pages.xml.nextToken as string }
  expect((await cloud.call('DescribeInstanceTypes', next)).status).toBe(200)
  expect(await keys('retire')).toMatchObject([{ id: 'k2', seals: true }])
  expect((await sts('GetCallerIdentity', {}, session)).status).toBe(200)
})

test('a rotation that was cut short is finished by whoever retires its key', async () => {
  await cloud.cloud.keyring.rotate() // and no more: as after a kill
  const cut = await keys()
  expect(cut).toMatchObject([{ seals: false }, { seals: true, secrets: 0 }])
  expect(cut[0]!.secrets).toBeGreaterThan(2)
  expect((await cloud.call('DescribeVpcs')).status).toBe(200)
  expect(await keys('retire')).toMatchObject([{ id: 'k3', seals: true, secrets: cut[0]!.secrets }])
  expect((await cloud.call('DescribeVpcs')).status).toBe(200)
})

test('two rotations at once are one and a refusal', async () => {
  const both = await Promise.allSettled([keys('rotate'), keys('rotate')])
  expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
})
