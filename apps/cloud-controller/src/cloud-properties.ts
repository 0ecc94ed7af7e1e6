import type { StateStore } from '@mallee/state-store'
import { setSetting } from './store/setting-store.ts'
import type { Tx } from './store/record.ts'
import type { CloudSettings } from './settings.ts'
import type { Tables } from './store/tables.ts'

/** One setting as an administrator sees it: a name with dots, and a text. */
export interface PropertyState {
  readonly name: string
  readonly value: string
  readonly description: string
  readonly defaultValue: string
  readonly readOnly: boolean
}

interface Definition {
  readonly description: string
  read(settings: CloudSettings): string
  /** What the text makes of the settings; null where it is none of its values. Absent: fixed while the cloud runs. */
  parse?(text: string): Partial<CloudSettings> | null
}

type Writable = { -readonly [Key in keyof CloudSettings]: CloudSettings[Key] }

const policies = ['round-robin', 'pack', 'spread'] as const

const definitions: Readonly<Record<string, Definition>> = {
  'bootstrap.webservices.endpoint': {
    description: 'Where clients reach the cloud. Fixed when the cloud is made.',
    read: (settings) => settings.endpoint,
  },
  'bootstrap.webservices.legacy_signatures': {
    description:
      'Whether every account may sign by Signature Version 2. Set by ./mallee up --legacy or --no-legacy.',
    read: (settings) => String(settings.legacySignatures),
  },
  'cloud.addresses.public_pool': {
    description: 'The addresses that instances are lent. Fixed when the cloud is made.',
    read: (settings) => settings.publicPool,
  },
  'cloud.agents.poll_seconds': {
    description: 'Seconds that an agent waits for news; after three without a word it counts as silent.',
    read: (settings) => String(settings.pollSeconds),
  },
  'cloud.availability_zones': {
    description: 'The zones. ./mallee up --zones adds to them.',
    read: (settings) => settings.availabilityZones.join(','),
  },
  'cloud.images.maximagesizegb': {
    description: 'The largest disk that is made of a bundle or an import, in GiB.',
    read: (settings) => String(settings.maxImageGiB),
    parse: (text) => (/^[1-9]\d{0,4}$/.test(text) ? { maxImageGiB: Number(text) } : null),
  },
  'cloud.metadata.tokens_required': {
    description:
      'Whether new instances demand session tokens (IMDSv2) unless their launch says otherwise: true, false.',
    read: (settings) => String(settings.metadataTokensRequired),
    parse: (text) => (/^(?:true|false)$/.test(text) ? { metadataTokensRequired: text === 'true' } : null),
  },
  'cloud.placement.policy': {
    description: `How nodes are chosen: ${policies.join(', ')}.`,
    read: (settings) => settings.placementPolicy,
    parse: (text) => {
      const placementPolicy = policies.find((policy) => policy === text)
      return placementPolicy === undefined ? null : { placementPolicy }
    },
  },
  'cloud.vmstate.terminated_visible_ms': {
    description: 'Milliseconds for which a terminated instance is still described.',
    read: (settings) => String(settings.terminatedVisibleMs),
    parse: (text) => (/^\d{1,10}$/.test(text) ? { terminatedVisibleMs: Number(text) } : null),
  },
  'region.region_name': {
    description: 'The name of the region. Fixed when the cloud is made.',
    read: (settings) => settings.region,
  },
}

const rowPrefix = 'property '

/**
 * The cloud's settings under names, some of which may be changed while it runs. What was changed is kept in the record
 * and outlives a restart; the configuration file is what `reset` goes back to.
 */
export class CloudProperties {
  /** The settings that hold now; whoever reads them sees a change at once. */
  readonly settings: CloudSettings
  readonly #configured: CloudSettings

  constructor(configured: CloudSettings) {
    this.#configured = configured
    this.settings = { ...configured }
  }

  /** Takes over what was changed before. A value that a release no longer knows is left at what is configured. */
  async load(record: StateStore<Tables>): Promise<this> {
    const rows = await record.read((db) =>
      db.selectFrom('setting').selectAll().where('name', 'like', `${rowPrefix}%`).execute(),
    )
    for (const row of rows) {
      const changes = definitionOf(row.name.slice(rowPrefix.length))?.parse?.(row.value)
      if (changes) Object.assign(this.settings as Writable, changes)
    }
    return this
  }

  list(): PropertyState[] {
    return Object.entries(definitions).map(([name, definition]) => ({
      name,
      value: definition.read(this.settings),
      description: definition.description,
      defaultValue: definition.read(this.#configured),
      readOnly: definition.parse === undefined,
    }))
  }

  /** Null for a text that is none of the property's values. Changes nothing. */
  parse(name: string, text: string): Partial<CloudSettings> | null {
    return definitionOf(name)?.parse?.(text) ?? null
  }

  /** Keeps the value (null: none of its own any more); it holds once the transaction is committed. */
  async keep(tx: Tx, name: string, value: string | null): Promise<void> {
    const definition = definitionOf(name)
    const changes = definition?.parse?.(value ?? definition.read(this.#configured))
    if (!changes) throw new Error(`${name} cannot be ${value}`)
    if (value === null)
      await tx.db
        .deleteFrom('setting')
        .where('name', '=', rowPrefix + name)
        .execute()
    else await setSetting(tx, rowPrefix + name, value)
    tx.afterCommit(() => void Object.assign(this.settings as Writable, changes))
  }
}

function definitionOf(name: string): Definition | undefined {
  return Object.hasOwn(definitions, name) ? definitions[name] : undefined
}
