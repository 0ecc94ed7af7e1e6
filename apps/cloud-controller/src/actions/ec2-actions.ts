import { describeInstances } from './ec2/describe-instances.ts'
import { runInstances } from './ec2/run-instances.ts'
import { terminateInstances } from './ec2/terminate-instances.ts'
import type { Ec2TypedAction } from '@mallee/ec2-api'
import type { Ec2Action } from './define-action.ts'

/** Every EC2 action that Mallee performs. What is not here answers `UnsupportedOperation` by its name. */
export const ec2Actions = {
  DescribeInstances: describeInstances,
  RunInstances: runInstances,
  TerminateInstances: terminateInstances,
} satisfies { [N in Ec2TypedAction]?: Ec2Action<N> }

/** The same table as the door sees it: by name, with the types that the decoder vouches for. */
export const ec2ActionByName: ReadonlyMap<string, AnyAction> = new Map(
  Object.entries(ec2Actions) as unknown as [string, AnyAction][],
)

export interface AnyAction {
  readonly mutates: boolean
  readonly honours: readonly string[]
  run(ctx: unknown, input: Record<string, unknown>): Promise<Record<string, unknown>>
}
