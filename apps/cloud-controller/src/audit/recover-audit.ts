import type { Log } from '@mallee/base'
import { iamActionNames, stsActionNames } from '@mallee/iam-api'
import type { StateStore } from '@mallee/state-store'
import { ebsActionByName } from '../actions/ebs-actions.ts'
import { ec2ActionByName } from '../actions/ec2-actions.ts'
import type { CloudSettings } from '../settings.ts'
import { recoverApiCalls } from '../store/api-call-store.ts'
import type { Tables } from '../store/tables.ts'
import { eventSourceOf } from './call-of-visit.ts'

/** At start: what an earlier life did and could not write down any more is written down from the actions' own events. */
export async function recoverAudit(deps: {
  readonly record: StateStore<Tables>
  readonly settings: CloudSettings
  readonly log: Log
}): Promise<void> {
  const { region } = deps.settings
  const count = await deps.record.transaction('report', (tx) => recoverApiCalls(tx, { region, sourceOf }))
  if (count > 0) deps.log.warn({ count }, 'calls of an earlier life were added to the audit')
}

function sourceOf(action: string): string {
  if (ec2ActionByName.has(action)) return eventSourceOf('ec2')
  if (ebsActionByName.has(action)) return eventSourceOf('ebs')
  if (stsActionNames().has(action)) return eventSourceOf('sts')
  return eventSourceOf(iamActionNames().has(action) ? 'iam' : 'ec2')
}
