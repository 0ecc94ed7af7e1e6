import type { EbsOperations } from '@mallee/ebs-api'
import type { ActionContext } from './define-action.ts'
import { completeSnapshot } from './ebs/complete-snapshot.ts'
import { startSnapshot } from './ebs/start-snapshot.ts'

/** Those of the EBS direct APIs that change the record; walrus has the others, which are about bytes. */
const actions = { StartSnapshot: startSnapshot, CompleteSnapshot: completeSnapshot } satisfies {
  [N in keyof EbsOperations]?: (
    ctx: ActionContext,
    input: EbsOperations[N]['input'],
  ) => Promise<EbsOperations[N]['output']>
}

type AnyEbsAction = (ctx: ActionContext, input: Record<string, unknown>) => Promise<Record<string, unknown>>

/** By name, with the types that the decoder vouches for. */
export const ebsActionByName: ReadonlyMap<string, AnyEbsAction> = new Map(
  Object.entries(actions as unknown as Record<string, AnyEbsAction>),
)
