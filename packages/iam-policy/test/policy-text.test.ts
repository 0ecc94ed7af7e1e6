import { expect, test } from 'vitest'
import { contextKeysOf } from '../src/context-keys.ts'
import { parsePolicy } from '../src/parse-policy.ts'
import { statementPositions } from '../src/statement-position.ts'

test('where statements stand, in a list and alone', () => {
  const text = `{"Version": "2012-10-17",
 "Statement": [
  {"Sid": "a\\"{", "Effect": "Allow", "Action": "s3:*", "Resource": "*",
   "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
  {"Effect": "Deny", "Action": ["s3:Get*"], "Resource": ["*"]}
 ]}`
  expect(statementPositions(text)).toEqual([
    { start: { line: 3, column: 3 }, end: { line: 4, column: 59 } },
    { start: { line: 5, column: 3 }, end: { line: 5, column: 63 } },
  ])
  expect(statementPositions('{"Statement":{"Effect":"Allow"}}')).toEqual([
    { start: { line: 1, column: 14 }, end: { line: 1, column: 32 } },
  ])
  expect(statementPositions('{"Id":"Statement"}')).toEqual([])
})

test('keys of conditions and variables, each once', () => {
  const document = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 's3:*',
        Resource: 'arn:aws:s3:::b/${aws:username}/*',
        Condition: {
          StringEquals: { 'aws:PrincipalTag/Team': '${aws:ResourceTag/team}', 'aws:UserName': 'x' },
        },
      },
    ],
  })
  const policy = parsePolicy(document, { kind: 'identity', maxBytes: 5000 })
  expect(contextKeysOf([policy, policy])).toEqual([
    'aws:PrincipalTag/Team',
    'aws:UserName',
    'aws:resourcetag/team',
  ])
})
