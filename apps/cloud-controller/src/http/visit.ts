import type { Clock, Log, Random } from '@mallee/base'
import type { Tracer } from '@mallee/service-kit'
import type { StateStore } from '@mallee/state-store'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Seen } from '../audit/call-of-visit.ts'
import type { CloudProperties } from '../cloud-properties.ts'
import type { Capacity } from '../store/capacity.ts'
import type { Keyring } from '../identity/keyring.ts'
import type { CloudFigures } from '../metrics/cloud-figures.ts'
import type { CloudSettings } from '../settings.ts'
import type { OidcKeys } from '../identity/oidc-keys.ts'
import type { SessionKeys } from '../store/session-key-store.ts'
import type { Tables } from '../store/tables.ts'
import type { Wakes } from '../wakes.ts'
import type { RawRequest } from './raw-request.ts'
import type { Throttle } from './throttle.ts'

export interface DoorDependencies {
  readonly record: StateStore<Tables>
  readonly keyring: Keyring
  readonly sessionKeys: SessionKeys
  readonly oidcKeys: OidcKeys
  readonly capacity: Capacity
  readonly settings: CloudSettings
  readonly wakes: Wakes
  readonly clock: Clock
  readonly random?: Random
  readonly log: Log
  readonly figures: CloudFigures
  readonly tracer: Tracer
  readonly properties: CloudProperties
  /** The cloud's private authority, PEM. */
  readonly authorityCertificate: string
  readonly throttle: Throttle
  readonly audit: Pick<AuditLog, 'keep' | 'close'>
  readonly watch?: ActionWatch | undefined
}

/** For the coverage test: stands between the door and an action, and sees what is read and what is answered. */
export interface ActionWatch {
  input(action: string, input: Record<string, unknown>): Record<string, unknown>
  output(action: string, output: Record<string, unknown>): void
}

/** What a request carries from room to room. */
export interface Visit {
  readonly request: RawRequest
  readonly requestId: string
  readonly nowMs: number
  readonly log: Log
  /** Trace context of this visit, for whoever does a part of it. */
  readonly traceparent: string | null
  /** What is known of the call so far, for figures and for the audit. */
  readonly seen: Seen
  readonly deps: DoorDependencies
}

export interface Answer {
  readonly status: number
  readonly body: string
  /** Where it is no XML. */
  readonly headers?: Readonly<Record<string, string>>
}
