import { AwsError, type QueryRequest } from '@mallee/aws-protocol'
import {
  createStsDecoder,
  createStsEncoder,
  eucalyptusStsActionNames,
  invalidQueryAction,
  stsActionNames,
} from '@mallee/iam-api'
import { getCallerIdentity } from '../actions/sts/get-caller-identity.ts'
import type { Caller } from '../identity/caller.ts'
import type { Answer, Visit } from './visit.ts'

const decoder = createStsDecoder()
const encoder = createStsEncoder()

/** STS. What it does not do yet is refused by name, as at the EC2 door. */
export async function answerSts(visit: Visit, query: QueryRequest, caller: Caller): Promise<Answer> {
  const name = query.action ?? ''
  if (name !== 'GetCallerIdentity') {
    throw stsActionNames().has(name) || eucalyptusStsActionNames.has(name)
      ? unsupported(name)
      : invalidQueryAction(name, query.version)
  }
  decoder.decode(name, query.parameters)
  const output = getCallerIdentity(caller) as Record<string, unknown>
  return { status: 200, body: encoder.encode({ operation: name, output, requestId: visit.requestId }) }
}

function unsupported(name: string): AwsError {
  return new AwsError('UnsupportedOperation', `The action ${name} is not supported by this cloud.`)
}
