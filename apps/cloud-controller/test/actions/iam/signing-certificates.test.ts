import { createPublicKey, createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAuthority, createSigningCertificate } from '@mallee/pki'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let other: Credentials
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  other = await cloud.createAccount('other')
})
afterAll(() => cloud.stop())

const iam = async (action: string, parameters: Record<string, string | number> = {}, as = cloud.admin) => {
  const answer = await cloud.call(action, parameters, { service: 'iam', version: '2010-05-08', as })
  const all = (name: string) =>
    [...answer.body.matchAll(new RegExp(`<${name}>([^<]*)<`, 'g'))].map((match) => match[1]!)
  return { ...answer, all, one: (name: string) => all(name)[0] }
}
const pem = async (nowMs = Date.now()) => (await createSigningCertificate('x', nowMs)).certificate

test('uploaded, listed in pages, switched, deleted; each change with its event', async () => {
  const [first, second] = [await pem(), await pem()]
  const uploaded = await iam('UploadSigningCertificate', { CertificateBody: first })
  const id = uploaded.one('CertificateId')!
  expect(uploaded.one('UserName')).toBe('admin')
  expect(uploaded.one('Status')).toBe('Active')
  expect(uploaded.one('CertificateBody')?.trim()).toBe(first.trim())
  expect(id).toMatch(/^\w{24,128}$/)
  await iam('UploadSigningCertificate', { CertificateBody: second, UserName: 'admin' })
  expect((await iam('ListSigningCertificates')).all('CertificateId')).toHaveLength(2)
  const page = await iam('ListSigningCertificates', { MaxItems: 1 })
  expect([page.all('CertificateId').length, page.one('IsTruncated')]).toEqual([1, 'true'])
  const rest = await iam('ListSigningCertificates', { Marker: page.one('Marker')! })
  expect([rest.all('CertificateId').length, rest.one('IsTruncated')]).toEqual([1, 'false'])
  expect((await iam('UploadSigningCertificate', { CertificateBody: await pem() })).code).toBe('LimitExceeded')
  expect((await iam('CreateSigningCertificate')).code).toBe('LimitExceeded')
  await iam('UpdateSigningCertificate', { CertificateId: id, Status: 'Inactive' })
  expect((await iam('ListSigningCertificates')).all('Status').toSorted()).toEqual(['Active', 'Inactive'])
  const deleted = await iam('DeleteSigningCertificate', { CertificateId: id })
  expect(deleted.status).toBe(200)
  expect((await iam('DeleteSigningCertificate', { CertificateId: id })).code).toBe('NoSuchEntity')
  const events = await cloud.cloud.record.read((db) =>
    db
      .selectFrom('event_resource')
      .innerJoin('event', 'event.id', 'event_resource.event_id')
      .select('action')
      .where('resource_id', '=', id)
      .orderBy('at')
      .execute(),
  )
  expect(events.map(({ action }) => action).toSorted()).toEqual([
    'DeleteSigningCertificate',
    'UpdateSigningCertificate',
    'UploadSigningCertificate',
  ])
})

test('made by the cloud: the key fits, and is kept nowhere', async () => {
  const made = await iam('CreateSigningCertificate', {}, other)
  const key = createPrivateKey(made.one('PrivateKey')!)
  const certificate = new X509Certificate(made.one('CertificateBody')!)
  const spki = { type: 'spki', format: 'pem' } as const
  expect(createPublicKey(key).export(spki)).toEqual(certificate.publicKey.export(spki))
  expect((await iam('ListSigningCertificates', {}, other)).body).not.toContain('PRIVATE')
  const row = await cloud.cloud.record.read((db) =>
    db
      .selectFrom('signing_certificate')
      .selectAll()
      .where('account_id', '=', other.accountId)
      .executeTakeFirst(),
  )
  expect(JSON.stringify(row)).not.toContain('PRIVATE')
})

test('what is refused', async () => {
  const good = await pem()
  const weak = generateKeyPairSync('rsa', {
    modulusLength: 1024,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const refused = async (CertificateBody: string) =>
    (await iam('UploadSigningCertificate', { CertificateBody })).code
  expect(await refused('hello')).toBe('MalformedCertificate')
  expect(await refused(weak.publicKey)).toBe('MalformedCertificate')
  expect(await refused((await createAuthority('x', Date.now())).certificate)).toBe('MalformedCertificate')
  expect(await refused(good + good)).toBe('MalformedCertificate')
  expect(await refused((await createSigningCertificate('x', Date.now())).key + good)).toBe(
    'MalformedCertificate',
  )
  expect(await refused(await pem(Date.parse('2001-01-01')))).toBe('InvalidCertificate')
  expect(await refused(await pem(Date.now() + 10 * 86_400_000))).toBe('InvalidCertificate')
  expect((await iam('UploadSigningCertificate', { CertificateBody: good }, other)).status).toBe(200)
  expect(await refused(good)).toBe('DuplicateCertificate')
  expect((await iam('ListSigningCertificates', { UserName: 'nobody' })).code).toBe('NoSuchEntity')
  expect((await iam('ListSigningCertificates', { Marker: 'x' })).code).toBe('ValidationError')
  expect((await iam('CreateSigningCertificate', { DelegateAccount: 'mallee' }, other)).code).toBe(
    'AccessDenied',
  )
  const theirs = (await iam('ListSigningCertificates', {}, other)).one('CertificateId')!
  for (const action of ['UpdateSigningCertificate', 'DeleteSigningCertificate'])
    expect((await iam(action, { CertificateId: theirs, Status: 'Inactive' })).code, action).toBe(
      'NoSuchEntity',
    )
  expect(
    (await iam('UpdateSigningCertificate', { CertificateId: theirs, Status: 'Expired' }, other)).code,
  ).toBe('ValidationError')
})
