import type { GovernanceServiceName } from '@mallee/governance-api'
import { lookupEvents } from './cloudtrail/lookup-events.ts'
import type { ActionContext } from './define-action.ts'

export type AnyGovernanceAction = (
  ctx: ActionContext,
  input: Record<string, unknown>,
) => Promise<Record<string, unknown>>

const tables = {
  cloudtrail: { LookupEvents: lookupEvents },
  servicequotas: {},
}

/** Every action of CloudTrail and Service Quotas that Mallee performs, by service and name. */
export function governanceAction(
  service: GovernanceServiceName,
  name: string,
): AnyGovernanceAction | undefined {
  const table = tables[service] as unknown as Record<string, AnyGovernanceAction>
  return Object.hasOwn(table, name) ? table[name] : undefined
}
