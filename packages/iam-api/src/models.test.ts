import { parseQueryRequest } from '@mallee/aws-protocol'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { eucalyptusIamActionNames, eucalyptusStsActionNames } from './actions.ts'
import type { StsOutput } from './actions.ts'
import { accessDenied, invalidQueryAction, noSuchEntity } from './errors.ts'
import {
  createIamDecoder,
  createIamEncoder,
  createStsDecoder,
  createStsEncoder,
  iamActionNames,
  stsActionNames,
} from './models.ts'

const decode = (operation: string, form: string) =>
  createIamDecoder().decode(operation, parseQueryRequest('', form).parameters)

describe('STS', () => {
  it('answers who is asking', () => {
    const { parameters } = parseQueryRequest('', 'Action=GetCallerIdentity&Version=2011-06-15')
    expect(createStsDecoder().decode('GetCallerIdentity', parameters)).toEqual({})
    const output: StsOutput<'GetCallerIdentity'> = {
      UserId: 'u',
      Account: '123456789012',
      Arn: 'arn:aws:iam::123456789012:root',
    }
    const xml = createStsEncoder().encode({ operation: 'GetCallerIdentity', output, requestId: 'r' })
    expect(xml).toContain(
      '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>' +
        '<UserId>u</UserId><Account>123456789012</Account><Arn>arn:aws:iam::123456789012:root</Arn></GetCallerIdentityResult>' +
        '<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>',
    )
    expectTypeOf<StsOutput<'GetCallerIdentity'>['Account']>().toEqualTypeOf<string | undefined>()
  })
})

describe('IAM', () => {
  it('decodes wrapped lists and ignores what nobody knows', () => {
    const form = 'UserName=a&Tags.member.1.Key=k&Tags.member.1.Value=v&DelegateAccount=other'
    expect(decode('CreateUser', form)).toEqual({ UserName: 'a', Tags: [{ Key: 'k', Value: 'v' }] })
  })

  it.each([
    ['', "Value null at 'userName'"],
    ['UserName=a%20b', "Value 'a b' at 'userName' failed to satisfy constraint: Member must be of the form"],
    [`UserName=${'a'.repeat(65)}`, 'at most 64 characters long'],
  ])('refuses CreateUser with %s', (form, message) => {
    expect(() => decode('CreateUser', form)).toThrow(
      expect.objectContaining({ code: 'ValidationError', message: expect.stringContaining(message) }),
    )
  })

  it('writes maps', () => {
    const output = { SummaryMap: { Users: 3 } }
    const xml = createIamEncoder().encode({ operation: 'GetAccountSummary', output, requestId: 'r' })
    expect(xml).toContain('<SummaryMap><entry><key>Users</key><value>3</value></entry></SummaryMap>')
  })
})

describe('names and errors', () => {
  it('are known', () => {
    expect(stsActionNames().has('AssumeRole')).toBe(true)
    expect(iamActionNames().size).toBeGreaterThan(170)
    for (const name of eucalyptusIamActionNames) expect(iamActionNames().has(name)).toBe(false)
    for (const name of eucalyptusStsActionNames) expect(stsActionNames().has(name)).toBe(false)
    expect(noSuchEntity('x')).toMatchObject({ code: 'NoSuchEntity', status: 404 })
    expect(accessDenied('x')).toMatchObject({ code: 'AccessDenied', status: 403 })
    expect(invalidQueryAction('Nope', '2011-06-15').message).toBe(
      'Could not find operation Nope for version 2011-06-15',
    )
    expect(invalidQueryAction(undefined, undefined).code).toBe('MissingAction')
  })
})
