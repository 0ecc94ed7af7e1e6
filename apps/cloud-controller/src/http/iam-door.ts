import type { QueryRequest } from '@mallee/aws-protocol'
import {
  createIamDecoder,
  createIamEncoder,
  eucalyptusIamActionNames,
  iamActionNames,
  invalidQueryAction,
  notImplemented,
} from '@mallee/iam-api'
import { requireSuitable } from '../authorization/session-limits.ts'
import { requireAllowed } from '../authorization/require-allowed.ts'
import { iamActionByName } from '../actions/iam-actions.ts'
import { iamResourcesOf } from '../actions/iam/iam-resources.ts'
import { rootArn } from '../identity/arns.ts'
import { callerArn, type Caller } from '../identity/caller.ts'
import { actionContext } from './action-context.ts'
import { delegate, delegatedAccount } from './iam-delegation.ts'
import type { Answer, Visit } from './visit.ts'

const decoder = createIamDecoder()
const encoder = createIamEncoder()

/** IAM: what it does not do yet is refused by its name, as at the EC2 door. */
export async function answerIam(visit: Visit, query: QueryRequest, caller: Caller): Promise<Answer> {
  const name = query.action ?? ''
  const action = iamActionByName.get(name)
  if (!action) {
    throw iamActionNames().has(name) || eucalyptusIamActionNames.has(name)
      ? notImplemented(name)
      : invalidQueryAction(name, query.version)
  }
  requireSuitable(caller, 'iam', name)
  const account = delegatedAccount(query)
  const acting =
    account === null ? caller : await visit.deps.record.read((db) => delegate(db, caller, account))
  const input = decoder.decode(name, query.parameters)
  await requireAllowed(visit, caller, 'query', async (db, conditions) => {
    // In another account the root is meant where nobody is named: the caller's own ARN would be judged for it.
    const userArn = account === null ? callerArn(caller) : rootArn(acting.accountId)
    const asked = { action: name, input, accountId: acting.accountId, userArn }
    const resources = await iamResourcesOf(db, asked)
    return resources.map(({ context, ...on }) => ({ ...on, context: { ...conditions, ...context } }))
  })
  const output = await visit.deps.tracer.trace(name, visit.traceparent, { action: name }, (span) =>
    action(actionContext({ ...visit, traceparent: span.traceparent }, name, acting, { by: caller }), input),
  )
  return { status: 200, body: encoder.encode({ operation: name, output, requestId: visit.requestId }) }
}
