import { sealedKeys, type SealedKey } from '../store/ebs-encryption-store.ts'
import type { Reader } from '../store/record.ts'
import type {
  AccessKeyTable,
  AddressTable,
  AgentTable,
  DesiredItemTable,
  DomainTable,
  ImageTable,
  InstanceTable,
  NetworkInterfaceTable,
  SubnetTable,
  TagTable,
  VpcTable,
} from '../store/tables.ts'
import { readNetworkRows, type NetworkRows } from './network-rows.ts'

/** The rows that the checks compare, as one value: the checks themselves ask nobody and wait for nothing. */
export interface RecordRows {
  readonly agents: readonly AgentTable[]
  readonly instances: readonly InstanceTable[]
  readonly domains: readonly DomainTable[]
  readonly items: readonly DesiredItemTable[]
  readonly images: readonly ImageTable[]
  readonly interfaces: readonly NetworkInterfaceTable[]
  readonly addresses: readonly AddressTable[]
  readonly subnets: readonly SubnetTable[]
  readonly vpcs: readonly VpcTable[]
  readonly networks: NetworkRows
  readonly accessKeys: readonly AccessKeyTable[]
  /** Of volumes, snapshots and accounts. */
  readonly encryptionKeys: readonly SealedKey[]
  readonly tags: readonly TagTable[]
  readonly reservations: readonly { readonly id: string }[]
  readonly groupLinks: readonly { readonly interface_id: string; readonly group_id: string }[]
  readonly decisions: readonly { readonly instance_id: string }[]
  readonly consoles: readonly { readonly instance_id: string }[]
  readonly screenshots: readonly { readonly instance_id: string }[]
  readonly samples: readonly { readonly instance_id: string }[]
  /** By RunInstances; by ImportInstance, whose instance is made when its disks are there, and StartInstances, its launch. */
  readonly launches: readonly {
    readonly at: number
    readonly action: string
    readonly resources: string
  }[]
  /** Of each instance that is not forgotten, the states that its transitions led to. */
  readonly reachedStates: ReadonlyMap<string, ReadonlySet<string>>
}

export async function readRecordRows(db: Reader, options: { launchesSinceMs: number }): Promise<RecordRows> {
  const instances = await db.selectFrom('instance').selectAll().execute()
  return {
    agents: await db.selectFrom('agent').selectAll().execute(),
    instances,
    domains: await db.selectFrom('domain').selectAll().execute(),
    items: await db.selectFrom('desired_item').selectAll().execute(),
    images: await db.selectFrom('image').selectAll().execute(),
    interfaces: await db.selectFrom('network_interface').selectAll().execute(),
    addresses: await db.selectFrom('address').selectAll().execute(),
    subnets: await db.selectFrom('subnet').selectAll().execute(),
    vpcs: await db.selectFrom('vpc').selectAll().execute(),
    networks: await readNetworkRows(db),
    accessKeys: await db.selectFrom('access_key').selectAll().execute(),
    encryptionKeys: await sealedKeys(db),
    tags: await db.selectFrom('tag').selectAll().execute(),
    reservations: await db.selectFrom('reservation').select('id').execute(),
    groupLinks: await db.selectFrom('network_interface_group').selectAll().execute(),
    decisions: await db.selectFrom('decision').select('instance_id').execute(),
    consoles: await db.selectFrom('console').select('instance_id').execute(),
    screenshots: await db.selectFrom('screenshot').select('instance_id').execute(),
    samples: await db.selectFrom('sample').select('instance_id').distinct().execute(),
    launches: await db
      .selectFrom('event')
      .select(['at', 'action', 'resources'])
      .where('action', 'in', ['RunInstances', 'ImportInstance', 'StartInstances'])
      .where('at', '>=', options.launchesSinceMs)
      .execute(),
    reachedStates: await reachedStates(db),
  }
}

async function reachedStates(db: Reader): Promise<Map<string, Set<string>>> {
  const rows = await db
    .selectFrom('instance')
    .innerJoin('event_resource', 'event_resource.resource_id', 'instance.id')
    .innerJoin('event', 'event.id', 'event_resource.event_id')
    .select(['instance.id', 'event.to_state'])
    .where('event.to_state', 'is not', null)
    .execute()
  const groups = [...Map.groupBy(rows, (row) => row.id)]
  return new Map(groups.map(([id, of]) => [id, new Set(of.map((row) => row.to_state!))]))
}

/** What the checks know besides the rows. */
export interface CheckContext {
  readonly nowMs: number
  /** Nothing younger is judged: it may be under way. */
  readonly graceMs: number
  readonly publicPool: string
  readonly terminatedVisibleMs: number
  /** Milliseconds since each agent was heard. */
  readonly silenceMs: (agentId: string) => number
  /** From when on an agent counts as silent. */
  readonly silentAfterMs: number
  /** Throws where a secret cannot be opened. */
  readonly openSecret: (sealed: string, boundTo: string) => string
}
