import type { DomainItem, RoleCredentials } from '@mallee/agent-contract'
import { silentLog } from '@mallee/base'
import type { InjectOptions } from 'fastify'
import { describe, expect, it } from 'vitest'
import { buildMetadataApp, metadataVersions } from './metadata-app.ts'
import { startMetadataServer } from './metadata-server.ts'

const artifact = (imageId: string) => ({
  ...{ imageId, bucket: 'b', key: 'k', sha256: '0'.repeat(64), sizeBytes: 1, format: 'raw' as const },
})
const exampleItem: DomainItem = {
  ...{ intent: 'run', instanceId: 'i-1', incarnation: 1, graceMs: 0, rebootCount: 0, consoleCount: 0 },
  ...{ accountId: '000000000001', userId: 'u', reservationId: 'r-1', launchIndex: 0, uuid: 'x' },
  ...{ launchTimeMs: Date.UTC(2024, 0, 2, 3, 4, 5), region: 'us-east-1', availabilityZone: 'us-east-1a' },
  ...{ instanceType: 't3.nano', vcpus: 1, memoryMiB: 128, diskGiB: 1, platform: 'linux' },
  ...{ architecture: 'x86_64', rootDeviceName: '/dev/sda1', machine: artifact('ami-1') },
  ...{ kernel: artifact('aki-1'), ramdisk: null, keyName: 'mine', publicKey: 'ssh-ed25519 AAAA' },
  userData: Buffer.from([0, 255, 10]).toString('base64'),
  privateDnsName: 'ip-10-0-0-4.ec2.internal',
  publicDnsName: 'ec2-1-1-1-1.compute-1.amazonaws.com',
  interfaces: [
    {
      ...{ interfaceId: 'eni-1', attachmentId: 'eni-attach-1', deviceIndex: 0, mac: '02:00:00:00:00:01' },
      ...{ privateIp: '10.0.0.4', publicIp: '1.1.1.1', subnetId: 'subnet-1', subnetCidr: '10.0.0.0/24' },
      ...{ vpcId: 'vpc-1', vpcCidr: '10.0.0.0/16' },
      ...{ securityGroupIds: ['sg-1', 'sg-2'], securityGroupNames: ['default', 'web'] },
    },
  ],
  metadata: { endpointEnabled: true, tokensRequired: true, hopLimit: 1, tagsEnabled: false },
  tags: { Name: 'first', 'a b': 'spaced' },
}

function world(
  change: Partial<DomainItem> = {},
  metadata: Partial<DomainItem['metadata']> = {},
  credentials: RoleCredentials | null = null,
) {
  const item = { ...exampleItem, ...change, metadata: { ...exampleItem.metadata, ...metadata } }
  const time = { ms: 1_000_000 }
  const app = buildMetadataApp({
    askerAt: (address) => ({ '100.64.0.1': 'eni-1', '100.64.0.2': 'eni-2' })[address] ?? null,
    itemOf: (id) => (id === 'eni-1' || id === 'eni-2' ? item : null),
    credentialsOf: async () => credentials,
    log: silentLog,
    clock: { now: () => time.ms },
  })
  const ask = (options: InjectOptions) =>
    app.inject({ method: 'GET', remoteAddress: '100.64.0.1', ...options })
  const putToken = (
    headers: Record<string, string> = { 'x-aws-ec2-metadata-token-ttl-seconds': '60' },
    rest: InjectOptions = {},
  ) => ask({ method: 'PUT', url: '/latest/api/token', headers, ...rest })
  const read = async (url: string, rest: InjectOptions = {}) => {
    const token = (await putToken()).body
    return ask({ url, headers: { 'x-aws-ec2-metadata-token': token }, ...rest })
  }
  const text = async (path: string) => {
    const answer = await read(`/latest/${path}`)
    return answer.statusCode === 200 ? answer.body : answer.statusCode
  }
  return { ask, putToken, read, text, time }
}

describe('sessions', () => {
  it('are needed unless the instance allows version 1, and a bad token is refused either way', async () => {
    const url = '/latest/meta-data/instance-id'
    expect((await world().ask({ url })).statusCode).toBe(401)
    const optional = world({}, { tokensRequired: false })
    expect((await optional.ask({ url })).body).toBe('i-1')
    const headers = { 'x-aws-ec2-metadata-token': 'AQAEAPMVxxx' }
    expect((await optional.ask({ url, headers })).statusCode).toBe(401)
    expect((await optional.ask({ url, headers: { 'x-aws-ec2-metadata-token': '' } })).statusCode).toBe(401)
  })

  it('last as long as was asked, of 1 to 21600 seconds', async () => {
    const { putToken, ask, time } = world()
    const of = (ttl: string) => putToken({ 'x-aws-ec2-metadata-token-ttl-seconds': ttl })
    for (const bad of ['0', '21601', '-1', '1e3', '', '6 0'])
      expect((await of(bad)).statusCode, bad).toBe(400)
    expect((await putToken({})).statusCode).toBe(400)
    const answer = await of('21600')
    expect(answer.headers['x-aws-ec2-metadata-token-ttl-seconds']).toBe('21600')
    const headers = { 'x-aws-ec2-metadata-token': answer.body }
    time.ms += 21_599_000
    const last = await ask({ url: '/', headers })
    expect(last.statusCode).toBe(200)
    expect(last.headers['x-aws-ec2-metadata-token-ttl-seconds']).toBe('1')
    time.ms += 1_000
    expect((await ask({ url: '/', headers })).statusCode).toBe(401)
  })

  it('belong to one interface, and to one life of the server', async () => {
    const { putToken, ask } = world()
    const headers = { 'x-aws-ec2-metadata-token': (await putToken()).body }
    expect((await ask({ url: '/', headers })).statusCode).toBe(200)
    expect((await ask({ url: '/', headers, remoteAddress: '100.64.0.2' })).statusCode).toBe(401)
    expect((await world().ask({ url: '/', headers })).statusCode).toBe(401)
  })

  it('are not for what a proxy forwards', async () => {
    const { putToken } = world()
    const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': '60', 'x-forwarded-for': '9.9.9.9' }
    expect((await putToken(headers)).statusCode).toBe(403)
  })
})

describe('doors that stay shut', () => {
  it('for who is nobody, whatever it says; and for all where the endpoint is off', async () => {
    const { ask, putToken } = world({}, { tokensRequired: false })
    const stranger = { remoteAddress: '10.0.0.4', headers: { 'x-forwarded-for': '100.64.0.1' } }
    const answer = await ask({ url: '/latest/meta-data/', ...stranger })
    expect([answer.statusCode, answer.body]).toEqual([404, ''])
    expect((await putToken({}, { remoteAddress: '10.0.0.4' })).statusCode).toBe(404)
    const off = world({}, { endpointEnabled: false })
    expect((await off.putToken()).statusCode).toBe(403)
    expect((await off.ask({ url: '/' })).statusCode).toBe(403)
  })

  it('for odd questions', async () => {
    const { ask, read, putToken } = world()
    expect((await read(`/latest/${'x'.repeat(1_100)}`)).statusCode).toBe(414)
    const undecodable = await read('/latest/%zz')
    expect([undecodable.statusCode, undecodable.body]).toEqual([400, ''])
    expect((await read('/latest/../latest/meta-data/__proto__')).statusCode).toBe(404)
    expect((await read('/2099-01-01/meta-data/')).statusCode).toBe(404)
    expect((await ask({ method: 'POST', url: '/latest/api/token', payload: 'x' })).statusCode).toBe(405)
    expect((await putToken({}, { url: '/latest/meta-data/' })).statusCode).toBe(404)
  })
})

describe('the tree', () => {
  it('lists versions, all with the same below them', async () => {
    const { read } = world()
    expect((await read('/')).body).toBe(metadataVersions.join('\n'))
    for (const version of metadataVersions)
      expect((await read(`/${version}/meta-data/instance-id`)).body).toBe('i-1')
  })

  it('lists what is there, branches with a slash, with or without one asked', async () => {
    const { text } = world()
    expect(await text('')).toBe('dynamic\nmeta-data\nuser-data')
    const keys = String(await text('meta-data/')).split('\n')
    expect(keys).toEqual([
      ...['ami-id', 'ami-launch-index', 'ami-manifest-path', 'block-device-mapping/', 'events/'],
      ...['hibernation/', 'hostname'],
      ...['instance-action', 'instance-id', 'instance-life-cycle', 'instance-type', 'kernel-id'],
      ...['local-hostname', 'local-ipv4', 'mac', 'network/', 'placement/', 'public-hostname'],
      ...['public-ipv4', 'public-keys/', 'reservation-id', 'security-groups', 'services/'],
    ])
    expect(await text('meta-data')).toBe(keys.join('\n'))
    expect(await text('meta-data/public-keys/')).toBe('0=mine')
    expect(await text('meta-data/public-keys/0/')).toBe('openssh-key')
    expect(await text('meta-data/network/interfaces/macs/')).toBe('02:00:00:00:00:01/')
  })

  it('says in which placement group it is, where it is in one', async () => {
    const { text } = world({ placementGroup: { name: 'near', partition: 2 } })
    const placement = 'availability-zone\ngroup-name\npartition-number\nregion'
    expect(await text('meta-data/placement/')).toBe(placement)
    expect(await text('meta-data/placement/group-name')).toBe('near')
    expect(await text('meta-data/placement/partition-number')).toBe('2')
    expect(await world().text('meta-data/placement/')).toBe('availability-zone\nregion')
  })

  it('answers its leaves', async () => {
    const { text } = world()
    const mac = 'meta-data/network/interfaces/macs/02:00:00:00:00:01'
    const expected: Record<string, string | number> = {
      'meta-data/public-keys/0/openssh-key': 'ssh-ed25519 AAAA\n',
      'meta-data/block-device-mapping/ami': 'sda1',
      'meta-data/block-device-mapping/root': '/dev/sda1',
      'meta-data/placement/availability-zone': 'us-east-1a',
      'meta-data/security-groups': 'default\nweb',
      'meta-data/services/partition': 'aws',
      [`${mac}/security-group-ids`]: 'sg-1\nsg-2',
      [`${mac}/vpc-ipv4-cidr-block`]: '10.0.0.0/16',
      [`${mac}/ipv4-associations/1.1.1.1`]: '10.0.0.4',
      'meta-data/ramdisk-id': 404,
      'meta-data/tags/instance/Name': 404,
      'meta-data/instance-id/more': 404,
      'meta-data/iam/': 404,
      'meta-data/events/maintenance/scheduled': '[]',
      'meta-data/events/maintenance/history': '[]',
      'meta-data/events/recommendations/rebalance': 404,
      'meta-data/spot/': 404,
      'meta-data/spot/instance-action': 404,
      'meta-data/hibernation/configured': 'false',
      'dynamic/fws/instance-monitoring': 'disabled',
    }
    for (const [path, value] of Object.entries(expected)) expect(await text(path), path).toBe(value)
    expect(JSON.parse(String(await text('dynamic/instance-identity/document')))).toMatchObject({
      ...{ accountId: '000000000001', instanceId: 'i-1', privateIp: '10.0.0.4', region: 'us-east-1' },
      ...{ pendingTime: '2024-01-02T03:04:05Z', ramdiskId: null, kernelId: 'aki-1' },
    })
  })

  it('shows the identity that the cloud signed, and without one no signature', async () => {
    expect(await world().text('dynamic/instance-identity/')).toBe('document')
    const identity = { document: '{"instanceId":"i-1"}', signature: 'c2ln', pkcs7: 'A'.repeat(100) }
    const { text } = world({ identity })
    expect(await text('dynamic/instance-identity/')).toBe('document\npkcs7\nrsa2048\nsignature')
    expect(await text('dynamic/instance-identity/document')).toBe(identity.document)
    expect(await text('dynamic/instance-identity/signature')).toBe('c2ln')
    const lines = `${'A'.repeat(64)}\n${'A'.repeat(36)}`
    expect(await text('dynamic/instance-identity/pkcs7')).toBe(lines)
  })

  it('says all addresses of an interface, and all blocks of its VPC', async () => {
    const [first] = exampleItem.interfaces
    const secondary = [
      { privateIp: '10.0.0.5', publicIp: '1.1.1.2' },
      { privateIp: '10.0.0.6', publicIp: null },
    ]
    const vpcCidrs = ['10.0.0.0/16', '10.1.0.0/16']
    const { text } = world({ interfaces: [{ ...first!, secondary, vpcCidrs }] })
    const mac = 'meta-data/network/interfaces/macs/02:00:00:00:00:01'
    const expected = {
      'local-ipv4s': '10.0.0.4\n10.0.0.5\n10.0.0.6',
      'public-ipv4s': '1.1.1.1\n1.1.1.2',
      'ipv4-associations/': '1.1.1.1\n1.1.1.2',
      'ipv4-associations/1.1.1.2': '10.0.0.5',
      'vpc-ipv4-cidr-blocks': '10.0.0.0/16\n10.1.0.0/16',
    }
    for (const [path, value] of Object.entries(expected)) expect(await text(`${mac}/${path}`)).toBe(value)
  })

  it('names volumes, the root but once, by the order of their devices', async () => {
    const volume = (device: string) => ({
      ...{ attachmentId: 'a', volumeId: 'vol-1', device, root: false, sizeBytes: 1 },
      ...{ iops: 0, bytesPerSecond: 0 },
    })
    const volumes = ['/dev/sdg', '/dev/sda1', '/dev/sdf'].map(volume)
    const { text } = world({ volumes })
    expect(await text('meta-data/block-device-mapping/')).toBe('ami\nebs1\nebs2\nroot')
    expect(await text('meta-data/block-device-mapping/ebs1')).toBe('sdf')
  })

  it('knows the partitions of a disk that the node made', async () => {
    const { text } = world({
      machine: { ...artifact('ami-1'), sizeBytes: 50 * 1024 * 1024, layout: 'partition' },
      rootDeviceName: '/dev/xvda1',
    })
    expect(await text('meta-data/block-device-mapping/')).toBe('ami\nephemeral0\nroot\nswap')
    for (const [name, device] of Object.entries({ ami: 'xvda1', ephemeral0: 'xvda2', swap: 'xvda3' }))
      expect(await text(`meta-data/block-device-mapping/${name}`)).toBe(device)
    expect(await text('meta-data/block-device-mapping/root')).toBe('/dev/xvda1')
  })

  it('gives user data byte for byte, and a 404 where there is none', async () => {
    const answer = await world().read('/latest/user-data')
    expect([...answer.rawPayload]).toEqual([0, 255, 10])
    expect(answer.headers['content-type']).toBe('text/plain')
    const bare = world({ userData: null, publicKey: null, keyName: null })
    expect(await bare.text('user-data')).toBe(404)
    expect(await bare.text('meta-data/public-keys/')).toBe(404)
    expect(await bare.text('')).toBe('dynamic\nmeta-data')
  })

  it('has tags where the instance shows them, and no public names without a public address', async () => {
    const tagged = world({}, { tagsEnabled: true })
    expect(await tagged.text('meta-data/tags/instance/')).toBe('Name\na b')
    expect(await tagged.text('meta-data/tags/instance/a%20b')).toBe('spaced')
    const [only] = exampleItem.interfaces
    const inner = world({ interfaces: [{ ...only!, publicIp: null }] })
    expect(await inner.text('meta-data/public-ipv4')).toBe(404)
    expect(await inner.text('meta-data/public-hostname')).toBe(404)
    expect(await inner.text('meta-data/')).not.toContain('public-ipv4')
  })
})

describe('the server', () => {
  it("listens where it is told, answers by the socket's address, and closes", async () => {
    const server = await startMetadataServer({
      ...{ host: '127.0.0.1', port: 0, log: silentLog },
      askerAt: (address) => (address === '127.0.0.1' ? 'eni-1' : null),
      credentialsOf: async () => null,
      itemOf: () => ({ ...exampleItem, metadata: { ...exampleItem.metadata, tokensRequired: false } }),
    })
    const url = `http://127.0.0.1:${server.address.port}/latest/meta-data/ami-id`
    const answer = await fetch(url)
    expect([answer.status, await answer.text()]).toEqual([200, 'ami-1'])
    expect((await fetch(url, { method: 'HEAD' })).status).toBe(200)
    const put = await fetch(`http://127.0.0.1:${server.address.port}/latest/api/token`, {
      method: 'PUT',
      body: 'x',
      headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '5' },
    })
    expect(put.status).toBe(200)
    await server.close()
    await expect(fetch(url)).rejects.toThrow()
  })
})

describe('the role of an instance', () => {
  const instanceProfile = { arn: 'arn:aws:iam::000000000001:instance-profile/app', id: 'AIPA1' }
  const told = { updatedAtMs: Date.UTC(2026, 0, 1), message: '' }
  const credentials: RoleCredentials = {
    ...{ ...told, code: 'Success', roleName: 'app', accessKeyId: 'ASIA1', secretAccessKey: 's' },
    ...{ token: 't', expiresAtMs: Date.UTC(2026, 0, 1, 6) },
  }

  it('has its credentials where AWS has them', async () => {
    const { text } = world({ instanceProfile }, {}, credentials)
    expect(await text('meta-data/')).toContain('iam/')
    expect(await text('meta-data/iam/')).toBe('info\nsecurity-credentials/')
    expect(await text('meta-data/iam/security-credentials/')).toBe('app')
    expect(JSON.parse(String(await text('meta-data/iam/security-credentials/app')))).toEqual({
      ...{ Code: 'Success', LastUpdated: '2026-01-01T00:00:00Z', Type: 'AWS-HMAC' },
      ...{ AccessKeyId: 'ASIA1', SecretAccessKey: 's', Token: 't', Expiration: '2026-01-01T06:00:00Z' },
    })
    expect(JSON.parse(String(await text('meta-data/iam/info')))).toEqual({
      ...{ Code: 'Success', LastUpdated: '2026-01-01T00:00:00Z' },
      ...{ InstanceProfileArn: instanceProfile.arn, InstanceProfileId: 'AIPA1' },
    })
    expect(await text('meta-data/iam/security-credentials/other')).toBe(404)
  })

  it('that EC2 may not assume is told so, and nothing is said while nothing was heard', async () => {
    const refused: RoleCredentials = { ...told, code: 'AssumeRoleUnauthorizedAccess', roleName: 'app' }
    const answer = await world({ instanceProfile }, {}, refused).text(
      'meta-data/iam/security-credentials/app',
    )
    expect(JSON.parse(String(answer))).toMatchObject({ Code: 'AssumeRoleUnauthorizedAccess' })
    expect(await world({ instanceProfile }).text('meta-data/iam/info')).toBe(503)
    expect(await world({}, {}, credentials).text('meta-data/iam/')).toBe(404)
  })
})
