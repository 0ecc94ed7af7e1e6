import type { QueryRequest } from '@mallee/aws-protocol'
import {
  createEucalyptusComputeDecoder,
  createEucalyptusComputeEncoder,
  type EucalyptusComputeOperations,
} from '@mallee/ec2-api'
import {
  describeEucalyptusInstanceTypes,
  modifyInstanceTypeAttribute,
} from '../actions/eucalyptus-compute.ts'
import { requireAllowed } from '../authorization/require-allowed.ts'
import type { Caller } from '../identity/caller.ts'
import { actionContext } from './action-context.ts'
import type { Answer, Visit } from './visit.ts'

const decoder = createEucalyptusComputeDecoder()
const encoder = createEucalyptusComputeEncoder()

/**
 * Whether a request at the EC2 door is for one of Eucalyptus' own actions: those that only it has, and instance types
 * under its own paths, where its clients expect its form of them.
 */
export function isEucalyptusCompute(visit: Visit, query: QueryRequest): boolean {
  if (query.action === 'ModifyInstanceTypeAttribute') return true
  return query.action === 'DescribeInstanceTypes' && /^\/services\//i.test(visit.request.rawPath)
}

export async function answerEucalyptusCompute(
  visit: Visit,
  query: QueryRequest,
  caller: Caller,
): Promise<Answer> {
  const name = query.action as keyof EucalyptusComputeOperations
  visit.deps.throttle.take(caller.accountId, name, visit.nowMs)
  const input = decoder.decode(name, query.parameters) as never
  await requireAllowed(visit, caller, 'ec2', (_db, context) => [
    { action: `ec2:${name}`, resource: '*', context },
  ])
  const ctx = actionContext(visit, name, caller)
  const output =
    name === 'DescribeInstanceTypes'
      ? await describeEucalyptusInstanceTypes(ctx, input)
      : await modifyInstanceTypeAttribute(ctx, input)
  return { status: 200, body: encoder.encode({ operation: name, output, requestId: visit.requestId }) }
}
