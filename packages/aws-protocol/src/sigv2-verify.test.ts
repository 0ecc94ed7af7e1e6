import { describe, expect, test } from 'vitest'
import { sigV2Digest, sigV2Text } from './sigv2-canonical.ts'
import { signSigV2 } from './sigv2-sign.ts'
import { claimsSigV2, verifySigV2, type SigV2Request } from './sigv2-verify.ts'

const credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
}
const now = new Date('2026-11-21T01:02:03Z')
const minuteMs = 60_000

const secretOf = (id: string, token: string | undefined) =>
  Promise.resolve(
    id === credentials.accessKeyId && token === undefined ? credentials.secretAccessKey : undefined,
  )
const verify = (request: Partial<SigV2Request>, at = now) =>
  verifySigV2(
    {
      method: 'POST',
      rawPath: '/',
      rawQuery: '',
      form: '',
      headers: { host: 'cloud.example.com:8773' },
      ...request,
    },
    { dialect: 'ec2', now: at, secretOf },
  )
const sign = (
  changes: Partial<Parameters<typeof signSigV2>[0]> = {},
  options: Partial<Parameters<typeof signSigV2>[1]> = {},
) =>
  signSigV2(
    {
      method: 'POST',
      host: 'cloud.example.com',
      rawPath: '/',
      parameters: { Action: 'DescribeRegions', Version: '2014-10-01' },
      ...changes,
    },
    { credentials, now, ...options },
  )
const code = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'accepted',
    (error: { code: string }) => error.code,
  )

/** https://docs.aws.amazon.com/general/latest/gr/signature-version-2.html (as AWS published it) */
test("AWS's own example", () => {
  const text = sigV2Text({
    method: 'GET',
    host: 'elasticmapreduce.amazonaws.com',
    rawPath: '/',
    parameters: [
      ['Version', '2009-03-31'],
      ['Timestamp', '2011-10-03T15:19:30'],
      ['SignatureVersion', '2'],
      ['SignatureMethod', 'HmacSHA256'],
      ['Action', 'DescribeJobFlows'],
      ['AWSAccessKeyId', 'AKIAIOSFODNN7EXAMPLE'],
    ],
  })
  expect(sigV2Digest(credentials.secretAccessKey, 'HmacSHA256', text).toString('base64')).toBe(
    'i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf/Mj6vPxyYIs=',
  )
})

const botoForm =
  'AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Action=RunInstances&Filter.1.Value.1=%2A&Filter.10.Name=x&Filter.2.Name=y&SignatureMethod=HmacSHA256&SignatureVersion=2&Timestamp=2026-11-21T01%3A02%3A03Z&UserData=a%20b%2Bc%2F~%2A%C3%A9%3D%26&Version=2014-10-01'

/** Made by Debian's python3-boto 2.49.0-4.1, which signs the host with its port. */
describe('what boto 2.49 sends', () => {
  test.each([
    ['POST', `${botoForm}&Signature=ot3AKIB%2B6MQrmI0NXHnBlsqcXMzq7Cwf4Pft6P4LzaU%3D`],
    ['GET', `${botoForm}&Signature=jzAWWRM9gXxMTMn3AdFUbpoTNNcctve7dM9qOHsDtt0%3D`],
  ])('%s', async (method, sent) => {
    const place = method === 'POST' ? { form: sent } : { rawQuery: sent }
    const request = { method, rawPath: '/services/compute/', ...place }
    expect(await verify(request)).toEqual({ accessKeyId: credentials.accessKeyId })
    expect(await code(verify({ ...request, rawPath: '/services/compute' }))).toBe('SignatureDoesNotMatch')
  })
})

describe('accepted', () => {
  test('with the port in the signed host or without, in any case', async () => {
    for (const host of ['cloud.example.com', 'CLOUD.example.com:8773'])
      expect(await code(verify({ form: sign({ host }) })), host).toBe('accepted')
  })
  test('HmacSHA1', async () => {
    expect(await code(verify({ form: sign({}, { signatureMethod: 'HmacSHA1' }) }))).toBe('accepted')
  })
  test('parameters shared out over query and body', async () => {
    const parts = sign().split('&')
    const request = { rawQuery: parts.slice(0, 3).join('&'), form: parts.slice(3).join('&') }
    expect(await code(verify(request))).toBe('accepted')
  })
  test('a time without a zone, with fractions, with an offset', async () => {
    for (const text of ['2026-11-21T01:02:03', '2026-11-21T01:02:03.123Z', '2026-11-21T03:02:03+02:00']) {
      const parameters = {
        AWSAccessKeyId: credentials.accessKeyId,
        SignatureVersion: '2',
        SignatureMethod: 'HmacSHA256',
        Timestamp: text,
      }
      const parts = { method: 'POST', host: 'cloud.example.com', rawPath: '/' }
      const toSign = sigV2Text({ ...parts, parameters: Object.entries(parameters) })
      const Signature = sigV2Digest(credentials.secretAccessKey, 'HmacSHA256', toSign).toString('base64')
      const form = new URLSearchParams({ ...parameters, Signature }).toString()
      expect(await code(verify({ form })), text).toBe('accepted')
    }
  })
  test('until it expires', async () => {
    const form = sign({}, { expires: new Date(now.getTime() + 60 * minuteMs) })
    expect(await code(verify({ form }, new Date(now.getTime() + 59 * minuteMs)))).toBe('accepted')
    expect(await code(verify({ form }, new Date(now.getTime() + 61 * minuteMs)))).toBe('RequestExpired')
  })
})

describe('refused', () => {
  const good = sign()
  const without = (name: string) =>
    good
      .split('&')
      .filter((part) => !part.startsWith(`${name}=`))
      .join('&')
  const changed = (name: string, value: string) =>
    good.replace(new RegExp(`(^|&)${name}=[^&]*`), `$1${name}=${encodeURIComponent(value)}`)

  test.each([
    ['another action', { form: changed('Action', 'TerminateInstances') }, 'SignatureDoesNotMatch'],
    ['one parameter more', { form: `${good}&DryRun=false` }, 'SignatureDoesNotMatch'],
    ['one more in the query', { form: good, rawQuery: 'DryRun=false' }, 'SignatureDoesNotMatch'],
    ['another method', { form: good, method: 'PUT' }, 'SignatureDoesNotMatch'],
    ['another path', { form: good, rawPath: '/services/compute' }, 'SignatureDoesNotMatch'],
    ['another host', { form: good, headers: { host: 'other' } }, 'SignatureDoesNotMatch'],
    ['no host', { form: good, headers: {} }, 'SignatureDoesNotMatch'],
    ['an empty signature', { form: changed('Signature', '') }, 'MissingParameter'],
    ['half a signature', { form: changed('Signature', 'AAAA') }, 'SignatureDoesNotMatch'],
    ['an unknown key', { form: changed('AWSAccessKeyId', 'AKIAOTHER') }, 'AuthFailure'],
    ['a session token', { form: `${good}&SecurityToken=x` }, 'AuthFailure'],
    ['version 1', { form: changed('SignatureVersion', '1') }, 'IncompleteSignature'],
    ['another algorithm', { form: changed('SignatureMethod', 'HmacMD5') }, 'IncompleteSignature'],
    ['no algorithm', { form: without('SignatureMethod') }, 'MissingParameter'],
    ['no time', { form: without('Timestamp') }, 'MissingParameter'],
    ['two times', { form: `${good}&Expires=2026-11-21T01:02:03Z` }, 'InvalidParameterCombination'],
    ['a day that is none', { form: changed('Timestamp', '2026-02-30T00:00:00Z') }, 'InvalidParameterValue'],
    ['words for a time', { form: changed('Timestamp', 'now') }, 'InvalidParameterValue'],
    ['the same twice', { form: `${good}&Action=DescribeRegions` }, 'InvalidParameterValue'],
    ['in query and body', { form: good, rawQuery: 'Action=DescribeRegions' }, 'InvalidParameterValue'],
    ['a bad escape', { form: `${good}&x=%zz` }, 'MalformedQueryString'],
  ])('%s', async (_what, request, expected) => {
    expect(await code(verify(request as Partial<SigV2Request>))).toBe(expected)
  })

  test('too old, too new, good for too long', async () => {
    const after = (minutes: number) => new Date(now.getTime() + minutes * minuteMs)
    expect(await code(verify({ form: good }, after(14)))).toBe('accepted')
    expect(await code(verify({ form: good }, after(16)))).toBe('RequestExpired')
    expect(await code(verify({ form: good }, after(-16)))).toBe('RequestExpired')
    const month = sign({}, { expires: after(30 * 24 * 60) })
    expect(await code(verify({ form: month }))).toBe('InvalidParameterValue')
  })
})

test('what claims to be of Version 2, and what claims to be of two kinds', () => {
  const request = { method: 'POST', rawPath: '/', rawQuery: '', form: '', headers: {} }
  expect(claimsSigV2(request, 'ec2')).toBe(false)
  expect(claimsSigV2({ ...request, form: 'AWSAccessKeyId=x' }, 'ec2')).toBe(true)
  expect(claimsSigV2({ ...request, rawQuery: 'AWSAccess%4BeyId=x' }, 'ec2')).toBe(true)
  for (const other of [
    { headers: { authorization: 'AWS4-HMAC-SHA256 Credential=x' } },
    { headers: { authorization: 'AWS x:y' } },
    { rawQuery: 'X-Amz-Signature=x' },
  ])
    expect(() => claimsSigV2({ ...request, form: 'SignatureVersion=2', ...other }, 'ec2')).toThrow(/signed/)
})
