import { compilePolicy, evaluate, parsePolicy, type PolicyRequest, type PolicySet } from '@mallee/iam-policy'
import { authorisedCalls } from './authorised-calls.ts'
import { figureLine, figures } from './figures.ts'

const statements = 50
const calls = 2000
const rounds = 40

/**
 * GetObject authorised by an identity policy and a bucket policy of 50 statements each, the last of which allows, against
 * the same loop without authorisation; and what it costs to read such a policy.
 */
export async function authoriseBench(): Promise<void> {
  const texts = { identity: policyText(false), resource: policyText(true) }
  const policies: PolicySet = {
    identity: [compilePolicy(parsePolicy(texts.identity, { kind: 'identity', maxBytes: 20_480 }))],
    resource: compilePolicy(parsePolicy(texts.resource, { kind: 'resource', maxBytes: 20_480 })),
  }
  const allow = (request: PolicyRequest) => evaluate(request, policies).outcome === 'allow'
  const ours = nanoseconds(allow)
  const floor = nanoseconds((request) => request.action !== '')
  const read = compileTimes(texts.resource)
  process.stdout.write(`${figureLine(`authorised by 2 × ${statements} statements`, 'ns', ours)}\n`)
  process.stdout.write(`${figureLine('the same request, not authorised', 'ns', floor)}\n`)
  process.stdout.write(`${figureLine(`${statements} statements parsed and compiled`, 'µs', read)}\n`)
  process.stdout.write(
    `authorisation costs ${((ours.median - floor.median) / 1000).toFixed(1)} µs a request\n`,
  )
  await authorisedCalls()
}

/** Nanoseconds of one request, of which each is another object's. */
function nanoseconds(decide: (request: PolicyRequest) => boolean) {
  const times: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const began = performance.now()
    for (let call = 0; call < calls; call += 1) if (!decide(request(call))) throw new Error('denied')
    times.push(((performance.now() - began) / calls) * 1_000_000)
  }
  return figures(times.slice(10))
}

function compileTimes(text: string) {
  const times = Array.from({ length: 200 }, () => {
    const began = performance.now()
    compilePolicy(parsePolicy(text, { kind: 'resource', maxBytes: 20_480 }))
    return (performance.now() - began) * 1000
  })
  return figures(times.slice(50))
}

function request(call: number): PolicyRequest {
  return {
    principal: {
      kind: 'user',
      accountId: '111122223333',
      arn: 'arn:aws:iam::111122223333:user/bob',
      userId: 'AIDAEXAMPLEEXAMPLE',
      userName: 'bob',
    },
    action: 's3:GetObject',
    resource: `arn:aws:s3:::photos/home/bob/${call}.jpg`,
    resourceAccountId: '444455556666',
    context: {
      'aws:SourceIp': '203.0.113.7',
      'aws:SecureTransport': true,
      'aws:CurrentTime': new Date(),
      'aws:UserAgent': 'bench',
      's3:authType': 'REST-HEADER',
      's3:signatureversion': 'AWS4-HMAC-SHA256',
    },
  }
}

/** All statements are about the action, and most about the bucket: conditions and resources decide. */
function policyText(isResource: boolean): string {
  const principal = isResource ? { Principal: { AWS: '111122223333' } } : {}
  const all = Array.from({ length: statements }, (_none, index) => {
    if (index === statements - 1)
      return {
        ...principal,
        Effect: 'Allow',
        Action: 's3:Get*',
        Resource: 'arn:aws:s3:::photos/home/${aws:username}/*',
        Condition: { IpAddress: { 'aws:SourceIp': ['203.0.113.0/24', '2001:db8::/32'] } },
      }
    return {
      ...principal,
      Effect: index % 5 === 0 ? 'Deny' : 'Allow',
      Action: index % 3 === 0 ? 's3:*' : ['s3:GetObject', 's3:PutObject'],
      Resource: `arn:aws:s3:::photos/${index % 2 === 0 ? `team-${index}` : 'home'}/*`,
      Condition: {
        StringLike: { 'aws:UserAgent': [`agent-${index}*`, '*/forbidden/*'] },
        Bool: { 'aws:SecureTransport': 'true' },
      },
    }
  })
  return JSON.stringify({ Version: '2012-10-17', Statement: all })
}
