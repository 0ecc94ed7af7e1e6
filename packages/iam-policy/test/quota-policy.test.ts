import { expect, test } from 'vitest'
import { parsePolicy } from '../src/parse-policy.ts'
import { PolicySyntaxError } from '../src/policy-syntax-error.ts'
import { splitQuotaPolicy } from '../src/quota-policy.ts'

const limit = (key: string, value: unknown, changes: object = {}) => ({
  Effect: 'Limit',
  Action: ['ec2:RunInstances'],
  Resource: '*',
  Condition: { NumericLessThanEquals: { [key]: value } },
  ...changes,
})
const allow = { Sid: 'a', Effect: 'Allow', Action: 'ec2:*', Resource: '*' }
const split = (...statements: object[]) =>
  splitQuotaPolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements }))

test('limits are parted from what is allowed, and the smallest counts', () => {
  const { policy, limits } = split(
    limit('ec2:quota-vminstancenumber', '4'),
    allow,
    limit('EC2:Quota-VMInstanceNumber', 3),
    limit('ec2:quota-volumetotalsize', ['100']),
  )
  expect(limits).toEqual([
    { key: 'ec2:quota-vminstancenumber', most: 3 },
    { key: 'ec2:quota-volumetotalsize', most: 100 },
  ])
  const rest = parsePolicy(policy!, { kind: 'identity', maxBytes: 1000 })
  expect([rest.version, rest.statements.map(({ sid }) => sid)]).toEqual(['2012-10-17', ['a']])
})

test('a policy without limits is left as it is, and one of limits alone is nothing else', () => {
  const text = JSON.stringify({ Statement: [allow] })
  expect(splitQuotaPolicy(text)).toEqual({ policy: text, limits: [] })
  expect(splitQuotaPolicy('nonsense')).toEqual({ policy: 'nonsense', limits: [] })
  expect(split(limit('s3:quota-bucketnumber', 0))).toEqual({
    policy: null,
    limits: [{ key: 's3:quota-bucketnumber', most: 0 }],
  })
  expect(
    splitQuotaPolicy(JSON.stringify({ Statement: limit('iam:quota-usernumber', 5) })).limits,
  ).toHaveLength(1)
})

test.each([
  ['another key', limit('ec2:quota-nothing', '1')],
  ['a service that there is not', limit('autoscaling:quota-autoscalinggroupnumber', '1')],
  ['no number', limit('ec2:quota-vpcnumber', 'many')],
  ['a fraction', limit('ec2:quota-vpcnumber', 1.5)],
  ['less than nothing', limit('ec2:quota-vpcnumber', -1)],
  ['two numbers', limit('ec2:quota-vpcnumber', ['1', '2'])],
  ['another operator', limit('x', '1', { Condition: { NumericEquals: { 'ec2:quota-vpcnumber': '1' } } })],
  ['one resource', limit('ec2:quota-vpcnumber', '1', { Resource: 'arn:aws:ec2:::vpc/x' })],
  ['no condition', limit('x', '1', { Condition: undefined })],
  ['no action', limit('ec2:quota-vpcnumber', '1', { Action: undefined })],
  ['an element more', limit('ec2:quota-vpcnumber', '1', { Principal: '*' })],
])('refused: %s', (_what, statement) => {
  expect(() => split(statement)).toThrow(PolicySyntaxError)
})
