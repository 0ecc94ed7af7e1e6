import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ec2ActionByName } from '../../src/actions/ec2-actions.ts'
import { iamActionByName } from '../../src/actions/iam-actions.ts'
import { CloudUnderTest, type Credentials } from '../cloud-under-test.ts'
import { baseRequests } from '../coverage/base-requests.ts'
import { CoverageWorld } from '../coverage/coverage-world.ts'
import { formOf, signedInHeader, signedInQuery, type HttpRequest, type Signing } from './hand-signing.ts'
import { dumpRecord } from './record-dump.ts'

/**
 * Every action that is performed × every way in which a request can fail to prove who sent it: each is refused with
 * AWS's code and status for that service, the same for a key that exists, is disabled or never was wherever AWS does
 * not look the key up first, and nothing of it runs.
 */
let cloud: CloudUnderTest
let world: CoverageWorld
let disabled: Credentials
const unknown: Credentials = {
  accountId: '000000000000',
  accessKeyId: 'AKIAAAAAAAAAAAAAAAAA',
  secretAccessKey: 'nobody',
}
const minute = 60_000

beforeAll(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none', pollSeconds: 3_600 })
  await cloud.addNode('node-1', { vcpus: 100_000, memoryMiB: 100_000_000, diskGiB: 10_000_000 })
  await cloud.addStorage()
  await cloud.cloud.record.transaction('action', async (tx) => {
    await tx.db.updateTable('quota').set({ value: 100_000 }).execute()
  })
  disabled = await cloud.createAccount('disabled')
  await cloud.cloud.record.transaction('action', async (tx) => {
    await tx.db.updateTable('access_key').set({ enabled: 0 }).where('id', '=', disabled.accessKeyId).execute()
  })
  world = new CoverageWorld(cloud, await cloud.plantImage(cloud.admin.accountId))
})
afterAll(() => cloud.stop())

type Refusal = readonly [status: number, code: string]

/** What each family of services answers. EC2 has words of its own for keys and clocks. */
const answers = {
  ec2: { unknownKey: [401, 'AuthFailure'], clock: [400, 'RequestExpired'] },
  query: { unknownKey: [403, 'InvalidClientTokenId'], clock: [403, 'SignatureDoesNotMatch'] },
} as const satisfies Record<string, Record<string, Refusal>>
const mismatch: Refusal = [403, 'SignatureDoesNotMatch']
const incomplete: Refusal = [400, 'IncompleteSignature']

interface Fault {
  readonly name: string
  readonly request: (signing: Signing) => HttpRequest
  readonly refused: (family: 'ec2' | 'query') => Refusal
  /** Only seen once the secret is known: a key that is not there is refused as one that is not there. */
  readonly needsKey?: true
}

const anHour = 60 * minute
const later = (signing: Signing, ms: number): Signing => ({
  ...signing,
  now: new Date(signing.now.getTime() + ms),
})
const withHeaders = (request: HttpRequest, headers: Record<string, string>): HttpRequest => ({
  ...request,
  headers: { ...request.headers, ...headers },
})
const spoilt = (text: string) => text.replace(/([0-9a-f])$/, (digit) => (digit === '0' ? '1' : '0'))

const faults: readonly Fault[] = [
  {
    name: 'no signature in the body',
    request: ({ form }) => ({
      method: 'POST',
      url: '/',
      headers: { host: 'x', 'content-type': 'application/x-www-form-urlencoded' },
      payload: form,
    }),
    refused: () => [403, 'MissingAuthenticationToken'],
  },
  {
    name: 'no signature in the query',
    request: ({ form }) => ({ method: 'GET', url: `/?${form}`, headers: { host: 'x' } }),
    refused: () => [403, 'MissingAuthenticationToken'],
  },
  {
    name: 'bad signature in the header',
    request: (signing) => {
      const request = signedInHeader(signing)
      return withHeaders(request, { authorization: spoilt(request.headers['authorization']!) })
    },
    refused: () => mismatch,
    needsKey: true,
  },
  {
    name: 'bad signature in the query',
    request: (signing) => {
      const request = signedInQuery(signing)
      return { ...request, url: spoilt(request.url) }
    },
    refused: () => mismatch,
    needsKey: true,
  },
  {
    name: 'wrong secret',
    request: (signing) =>
      signedInHeader({ ...signing, credentials: { ...signing.credentials, secretAccessKey: 'guessed' } }),
    refused: () => mismatch,
    needsKey: true,
  },
  {
    name: 'session token that nobody issued',
    request: (signing) => signedInHeader({ ...signing, headers: { 'x-amz-security-token': 'made-up' } }),
    refused: (family) => answers[family].unknownKey,
  },
  {
    name: 'signed too long ago',
    request: (signing) => signedInHeader(later(signing, -16 * minute)),
    refused: (family) => answers[family].clock,
  },
  {
    name: 'signed too far ahead',
    request: (signing) => signedInHeader(later(signing, 16 * minute)),
    refused: (family) => answers[family].clock,
  },
  {
    name: 'presigned and run out',
    request: (signing) => signedInQuery({ ...later(signing, -anHour), expiresSeconds: 3000 }),
    refused: (family) => answers[family].clock,
  },
  {
    name: 'presigned too far ahead',
    request: (signing) => signedInQuery(later(signing, anHour)),
    refused: (family) => answers[family].clock,
  },
  {
    name: 'scope of S3',
    request: (signing) => signedInHeader({ ...signing, service: 's3' }),
    refused: () => mismatch,
  },
  {
    name: 'scope of S3 in the query',
    request: (signing) => signedInQuery({ ...signing, service: 's3' }),
    refused: () => mismatch,
  },
  {
    name: 'scope that says another service than was signed for',
    request: (signing) => signedInHeader({ ...signing, signedService: 'monitoring' }),
    refused: () => mismatch,
    needsKey: true,
  },
  {
    name: 'signed in the header and in the query',
    request: (signing) => {
      const { authorization, 'x-amz-date': date } = signedInHeader(signing).headers
      return withHeaders(signedInQuery(signing), { authorization: authorization!, 'x-amz-date': date! })
    },
    refused: () => incomplete,
  },
  {
    name: 'tampered body',
    request: (signing) => {
      const request = signedInHeader(signing)
      return { ...request, payload: `${request.payload}&MaxResults=5` }
    },
    refused: () => mismatch,
    needsKey: true,
  },
  {
    name: 'query added to a signed body',
    request: (signing) => ({ ...signedInHeader(signing), url: '/?MaxResults=5' }),
    refused: () => mismatch,
    needsKey: true,
  },
  {
    name: 'tampered query',
    request: (signing) => {
      const request = signedInQuery(signing)
      return { ...request, url: `${request.url}&MaxResults=5` }
    },
    refused: () => mismatch,
    needsKey: true,
  },
  {
    name: 'body added to a signed query',
    request: (signing) => ({
      ...signedInQuery(signing),
      method: 'POST',
      payload: 'MaxResults=5',
    }),
    refused: () => mismatch,
    needsKey: true,
  },
  ...['host', 'x-amz-date'].map((name): Fault => ({
    name: `${name} not signed`,
    request: (signing) => signedInHeader({ ...signing, unsigned: [name] }),
    refused: () => incomplete,
  })),
  {
    name: 'x-amz-security-token not signed',
    request: (signing) =>
      signedInHeader({
        ...signing,
        headers: { 'x-amz-security-token': 'made-up' },
        unsigned: ['x-amz-security-token'],
      }),
    refused: () => incomplete,
  },
]

interface Performed {
  readonly service: 'ec2' | 'sts' | 'iam'
  readonly name: string
  readonly version: string
  readonly parameters: () => Promise<Record<string, string | number | boolean>>
}

const performed: readonly Performed[] = [
  ...[...ec2ActionByName.keys()].map((name): Performed => ({
    service: 'ec2',
    name,
    version: '2016-11-15',
    parameters: async () => baseRequests[name]!.request(world),
  })),
  { service: 'sts', name: 'GetCallerIdentity', version: '2011-06-15', parameters: async () => ({}) },
  ...[...iamActionByName.keys()].map((name): Performed => ({
    service: 'iam',
    name,
    version: '2010-05-08',
    parameters: async () => ({ CertificateId: 'A'.repeat(24), CertificateBody: 'x', Status: 'Inactive' }),
  })),
]

async function send(request: HttpRequest) {
  const response = await cloud.cloud.door.inject({ ...request })
  const said = /<Code>([^<]*)<\/Code>\s*<Message>([^<]*)<\/Message>/.exec(response.body)
  return { answer: [response.statusCode, said?.[1]], message: said?.[2] }
}

describe.each(performed)('$service $name', ({ service, name, version, parameters }) => {
  test('is refused to whoever does not prove who they are, and does not run', async () => {
    const form = formOf({ Action: name, Version: version, ...(await parameters()) })
    const family = service === 'ec2' ? 'ec2' : 'query'
    const signing: Signing = { credentials: cloud.admin, service, now: new Date(), form }
    await cloud.settled()
    const before = await dumpRecord(cloud)

    for (const fault of faults) {
      const known = await send(fault.request(signing))
      expect(known.answer, fault.name).toEqual(fault.refused(family))
      const others = await Promise.all(
        [unknown, disabled].map(async (credentials) => send(fault.request({ ...signing, credentials }))),
      )
      expect(others[0], `${fault.name}, for an unknown and for a disabled key`).toEqual(others[1])
      if (fault.needsKey) expect(others[0]!.answer, fault.name).toEqual(answers[family].unknownKey)
      else expect(others[0], `${fault.name}, for an unknown key`).toEqual(known)
    }
    for (const credentials of [unknown, disabled])
      for (const sign of [signedInHeader, signedInQuery])
        expect((await send(sign({ ...signing, credentials }))).answer).toEqual(answers[family].unknownKey)
    await signedForAnother(signing)

    expect(await dumpRecord(cloud)).toEqual(before)
  })

  test('is not refused to whoever does', async () => {
    const form = formOf({ Action: name, Version: version, ...(await parameters()), DryRun: true })
    const signing: Signing = { credentials: cloud.admin, service, now: new Date(), form }
    const codes = new Set<unknown>(['DryRunOperation', 'UnknownParameter'])
    for (const sign of [signedInHeader, signedInQuery]) {
      const { answer } = await send(sign(signing))
      if (service === 'ec2') expect(codes, String(answer[1])).toContain(answer[1])
      else expect(faults.map((fault) => fault.refused('query')[1])).not.toContain(answer[1])
    }
  })
})

/** A good signature for another of our services goes to that service, which has no such action. */
async function signedForAnother(signing: Signing): Promise<void> {
  for (const service of ['ec2', 'sts', 'iam'].filter((other) => other !== signing.service)) {
    const { answer } = await send(signedInHeader({ ...signing, service }))
    expect(answer, `signed for ${service}`).toEqual([400, 'InvalidAction'])
  }
}
