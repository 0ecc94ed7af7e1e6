import type { Clock, Random } from '@mallee/base'
import type { Tracer } from '@mallee/service-kit'
import type { StateStore } from '@mallee/state-store'
import type { Keyring } from '../identity/keyring.ts'
import type { Presence } from '../presence.ts'
import type { CloudSettings } from '../settings.ts'
import type { Tables } from '../store/tables.ts'
import type { Wakes } from '../wakes.ts'

/** What every reconciler works with; none of it reaches outside the record. */
export interface ReconcilerContext {
  readonly record: StateStore<Tables>
  readonly settings: CloudSettings
  readonly wakes: Wakes
  readonly keyring: Keyring
  readonly presence: Presence
  readonly clock: Clock
  readonly random: Random
  readonly tracer: Tracer
}
