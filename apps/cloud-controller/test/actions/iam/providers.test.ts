import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSigningCertificate } from '@mallee/pki'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'
import { allow, iamClient, trustEc2 } from './iam-client.ts'

let cloud: CloudUnderTest
let other: Credentials
const iam = iamClient(() => cloud)
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  other = await cloud.createAccount('other')
})
afterAll(() => cloud.stop())

test('an OIDC provider', async () => {
  const thumbprint = 'a'.repeat(40)
  const made = await iam('CreateOpenIDConnectProvider', {
    Url: 'https://id.example.com/realms/x/',
    'ClientIDList.member.1': 'app',
    'ThumbprintList.member.1': thumbprint,
  })
  const arn = made.one('OpenIDConnectProviderArn')!
  expect(arn).toBe(`arn:aws:iam::${cloud.admin.accountId}:oidc-provider/id.example.com/realms/x`)
  const named = { OpenIDConnectProviderArn: arn }
  await iam('AddClientIDToOpenIDConnectProvider', { ...named, ClientID: 'second' })
  await iam('AddClientIDToOpenIDConnectProvider', { ...named, ClientID: 'second' })
  const read = await iam('GetOpenIDConnectProvider', named)
  expect([read.one('Url'), read.all('member')]).toEqual([
    'id.example.com/realms/x',
    ['app', 'second', thumbprint],
  ])
  await iam('RemoveClientIDFromOpenIDConnectProvider', { ...named, ClientID: 'app' })
  const other40 = 'b'.repeat(40)
  await iam('UpdateOpenIDConnectProviderThumbprint', { ...named, 'ThumbprintList.member.1': other40 })
  expect((await iam('GetOpenIDConnectProvider', named)).all('member')).toEqual(['second', other40])
  expect((await iam('ListOpenIDConnectProviders')).all('Arn')).toEqual([arn])
  const code = async (Url: string, thumb = thumbprint) =>
    (await iam('CreateOpenIDConnectProvider', { Url, 'ThumbprintList.member.1': thumb })).code
  expect(await code('https://id.example.com/realms/x')).toBe('EntityAlreadyExists')
  for (const url of ['http://id.example.com', 'https://x.example.com/?q=1', 'nonsense'])
    expect(await code(url)).toBe('InvalidInput')
  expect(await code('https://y.example.com', 'z'.repeat(40))).toBe('InvalidInput')
  expect((await iam('GetOpenIDConnectProvider', named, other)).code).toBe('NoSuchEntity')
  expect((await iam('DeleteOpenIDConnectProvider', named)).status).toBe(200)
  expect((await iam('DeleteOpenIDConnectProvider', named)).code).toBe('NoSuchEntity')
})

test('a server certificate fits its key, which is sealed and never answered', async () => {
  const { certificate, key } = await createSigningCertificate('www', Date.now())
  const stranger = await createSigningCertificate('other', Date.now())
  const named = { ServerCertificateName: 'www' }
  const upload = (changes: Record<string, string> = {}) =>
    iam('UploadServerCertificate', { ...named, CertificateBody: certificate, PrivateKey: key, ...changes })
  expect((await upload({ PrivateKey: stranger.key })).code).toBe('KeyPairMismatch')
  expect((await upload({ PrivateKey: 'nonsense' })).code).toBe('MalformedCertificate')
  expect((await upload({ CertificateBody: `${certificate}${certificate}` })).code).toBe(
    'MalformedCertificate',
  )
  expect((await upload({ CertificateChain: 'nonsense' })).code).toBe('MalformedCertificate')
  const old = await createSigningCertificate('old', Date.parse('2001-01-01'))
  expect((await upload({ CertificateBody: old.certificate, PrivateKey: old.key })).code).toBe(
    'MalformedCertificate',
  )
  const made = await upload({ CertificateChain: stranger.certificate, Path: '/tls/' })
  expect(made.one('ServerCertificateId')).toMatch(/^ASCA/)
  expect(made.one('Arn')).toContain(':server-certificate/tls/www')
  expect((await upload()).code).toBe('EntityAlreadyExists')
  const read = await iam('GetServerCertificate', named)
  expect(read.one('CertificateBody')?.trim()).toBe(certificate.trim())
  expect(read.one('CertificateChain')?.trim()).toBe(stranger.certificate.trim())
  expect(read.body).not.toContain('PRIVATE')
  const rows = await cloud.cloud.record.read((db) =>
    db.selectFrom('iam_server_certificate').selectAll().execute(),
  )
  expect(JSON.stringify(rows)).not.toContain('PRIVATE')
  await iam('UpdateServerCertificate', { ...named, NewServerCertificateName: 'web', NewPath: '/' })
  const listed = await iam('ListServerCertificates', { PathPrefix: '/' })
  expect([listed.all('ServerCertificateName'), listed.all('Path')]).toEqual([['web'], ['/']])
  expect((await iam('DeleteServerCertificate', named)).code).toBe('NoSuchEntity')
  expect((await iam('DeleteServerCertificate', { ServerCertificateName: 'web' })).status).toBe(200)
})

test('tags of every kind of thing', async () => {
  const { certificate, key } = await createSigningCertificate('tls', Date.now())
  await iam('CreateUser', { UserName: 'x' })
  await iam('CreateRole', { RoleName: 'x', AssumeRolePolicyDocument: trustEc2 })
  await iam('CreateInstanceProfile', { InstanceProfileName: 'x' })
  const policy = await iam('CreatePolicy', { PolicyName: 'x', PolicyDocument: allow('ec2:*') })
  const provider = await iam('CreateOpenIDConnectProvider', { Url: 'https://x.example.com' })
  await iam('UploadServerCertificate', {
    ...{ ServerCertificateName: 'x', CertificateBody: certificate, PrivateKey: key },
  })
  const device = await iam('CreateVirtualMFADevice', { VirtualMFADeviceName: 'x' })
  for (const [kind, member, name] of [
    ['User', 'UserName', 'x'],
    ['Role', 'RoleName', 'x'],
    ['Policy', 'PolicyArn', policy.one('Arn')!],
    ['InstanceProfile', 'InstanceProfileName', 'x'],
    ['OpenIDConnectProvider', 'OpenIDConnectProviderArn', provider.one('OpenIDConnectProviderArn')!],
    ['ServerCertificate', 'ServerCertificateName', 'x'],
    ['MFADevice', 'SerialNumber', device.one('SerialNumber')!],
  ] as const) {
    const tag = (Key: string, Value: string) =>
      iam(`Tag${kind}`, { [member]: name, 'Tags.member.1.Key': Key, 'Tags.member.1.Value': Value })
    expect((await tag('Team', 'a')).status, kind).toBe(200)
    await tag('team', 'b')
    await tag('cost', 'c')
    const listed = await iam(`List${kind}Tags`, { [member]: name })
    expect([listed.all('Key'), listed.all('Value')], kind).toEqual([
      ['cost', 'team'],
      ['c', 'b'],
    ])
    expect((await tag('aws:x', 'b')).code, kind).toBe('InvalidInput')
    expect((await iam(`Untag${kind}`, { [member]: name, 'TagKeys.member.1': 'TEAM' })).status).toBe(200)
    expect((await iam(`List${kind}Tags`, { [member]: name })).all('Key'), kind).toEqual(['cost'])
  }
  for (let first = 0; first < 50; first += 25)
    await iam('TagUser', {
      UserName: 'x',
      ...Object.fromEntries(
        Array.from({ length: 25 }, (_none, at) => [
          [`Tags.member.${at + 1}.Key`, `k${first + at}`],
          [`Tags.member.${at + 1}.Value`, 'v'],
        ]).flat(),
      ),
    })
  expect((await iam('ListUserTags', { UserName: 'x' })).all('Key')).toHaveLength(26)
  expect(
    (await iam('TagUser', { UserName: 'none', 'Tags.member.1.Key': 'a', 'Tags.member.1.Value': '' })).code,
  ).toBe('NoSuchEntity')
})

test('the alias of an account, and nobody else’s', async () => {
  const alias = async (AccountAlias: string, as = cloud.admin) =>
    (await iam('CreateAccountAlias', { AccountAlias }, as)).code
  expect(await alias('acme')).toBeUndefined()
  expect(await alias('acme', other)).toBe('EntityAlreadyExists')
  expect(await alias('other')).toBe('EntityAlreadyExists')
  expect(await alias('123456789012')).toBe('ValidationError')
  expect(await alias('no--good')).toBe('ValidationError')
  expect(await alias('acme-two')).toBeUndefined()
  expect((await iam('ListAccountAliases')).all('member')).toEqual(['acme-two'])
  expect((await iam('CreateAccount', { AccountName: 'acme-two' })).code).toBe('EntityAlreadyExists')
  expect((await iam('DeleteAccountAlias', { AccountAlias: 'acme' })).code).toBe('NoSuchEntity')
  expect((await iam('DeleteAccountAlias', { AccountAlias: 'acme-two' })).status).toBe(200)
})
