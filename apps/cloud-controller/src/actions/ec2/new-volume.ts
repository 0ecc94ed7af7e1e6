import { newId } from '@mallee/base'
import type { StorageFingerprint } from '@mallee/agent-contract'
import {
  incorrectState,
  insufficientVolumeCapacity,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  unknownVolumeType,
  volumeLimitExceeded,
} from '@mallee/ec2-api'
import { listAgents } from '../../store/agent-store.ts'
import { requireQuota } from '../../store/quota-store.ts'
import { openUsage } from '../../store/usage-store.ts'
import type { Reader } from '../../store/record.ts'
import type { AgentTable, SnapshotTable, VolumeTable } from '../../store/tables.ts'
import { volumeTypes, type VolumeType } from '../../store/volume-tables.ts'
import { volumeTypeSpecs } from '../../store/volume-types.ts'
import type { ActionContext, ActionTransaction } from '../define-action.ts'
import { resolveEncryption, volumeKeyColumns } from './encryption.ts'
import { requireVisibleSnapshot } from './require-volumes.ts'

/** A storage controller with less room than this takes nothing new: what it has may still grow into it. */
const leastFreeBytes = 1024 ** 3

/** What a volume is asked to be, by CreateVolume or by a block device mapping. */
export interface VolumeWish {
  readonly sizeGiB: number | undefined
  readonly snapshotId: string | undefined
  readonly type: string | undefined
  readonly iops: number | undefined
  readonly throughput: number | undefined
  readonly encrypted: boolean | undefined
  readonly kmsKeyId: string | undefined
}

/** A wish with every rule checked. */
export interface VolumeSpec {
  readonly sizeGiB: number
  readonly snapshot: SnapshotTable | null
  readonly type: VolumeType
  readonly iops: number | null
  readonly throughput: number | null
  readonly isEncrypted: boolean
}

/** AWS's default where nothing is said. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVolume.html */
const defaultType = 'gp2'

export async function resolveVolume(ctx: ActionContext, db: Reader, wish: VolumeWish): Promise<VolumeSpec> {
  const snapshot =
    wish.snapshotId === undefined ? null : await requireVisibleSnapshot(ctx, db, wish.snapshotId)
  if (snapshot && snapshot.state !== 'completed')
    throw incorrectState(`Snapshot ${snapshot.id} is in invalid state - ${snapshot.state}`)
  const sizeGiB = wish.sizeGiB ?? snapshot?.size_gib
  if (sizeGiB === undefined) throw missingParameter('size/snapshot')
  if (snapshot && sizeGiB < snapshot.size_gib) {
    throw invalidParameterValue(
      `Volume of size ${sizeGiB}GB is smaller than snapshot '${snapshot.id}', expect size >= ${snapshot.size_gib}GB`,
    )
  }
  const isEncrypted = await resolveEncryption(ctx, db, wish, snapshot)
  return { sizeGiB, snapshot, isEncrypted, ...checkVolumeType({ ...wish, sizeGiB }) }
}

/** Type, size, IOPS and throughput as AWS has them go together. */
export function checkVolumeType(wish: {
  readonly sizeGiB: number
  readonly type: string | undefined
  readonly iops: number | undefined
  readonly throughput: number | undefined
}): Pick<VolumeSpec, 'type' | 'iops' | 'throughput'> {
  const type = (wish.type ?? defaultType) as VolumeType
  if (!volumeTypes.includes(type)) throw unknownVolumeType(type)
  const spec = volumeTypeSpecs[type]
  const [least, most] = spec.sizeGiB
  if (wish.sizeGiB < least || wish.sizeGiB > most) {
    throw invalidParameterValue(
      `Volume of ${wish.sizeGiB}GiB is ${wish.sizeGiB < least ? 'smaller than the minimum' : 'larger than the maximum'} of ${wish.sizeGiB < least ? least : most}GiB for type ${type}.`,
    )
  }
  return { type, iops: checkIops(type, wish), throughput: checkThroughput(type, wish.throughput) }
}

function checkIops(
  type: VolumeType,
  { iops, sizeGiB }: { iops: number | undefined; sizeGiB: number },
): number | null {
  const { iops: range, mostIopsPerGiB } = volumeTypeSpecs[type]
  if (range === null) {
    if (iops !== undefined)
      throw invalidParameterCombination(`The parameter iops is not supported for ${type} volumes.`)
    return null
  }
  if (iops === undefined) {
    if (type === 'gp3') return range[0]
    throw missingParameter('iops')
  }
  if (iops < range[0] || iops > range[1]) {
    throw invalidParameterValue(
      `Volume iops of ${iops} is not valid; between ${range[0]} and ${range[1]} can be had of type ${type}.`,
    )
  }
  if (iops > Math.max(range[0], mostIopsPerGiB * sizeGiB)) {
    throw invalidParameterValue(
      `Iops to volume size ratio of ${(iops / sizeGiB).toFixed(1)} is too high; maximum is ${mostIopsPerGiB}.`,
    )
  }
  return iops
}

function checkThroughput(type: VolumeType, throughput: number | undefined): number | null {
  const { throughput: range } = volumeTypeSpecs[type]
  if (range === null) {
    if (throughput !== undefined)
      throw invalidParameterCombination(`The parameter throughput is not supported for ${type} volumes.`)
    return null
  }
  const wanted = throughput ?? range[0]
  if (wanted < range[0] || wanted > range[1])
    throw invalidParameterValue(
      `Throughput of ${wanted} MiB/s is not valid; between ${range[0]} and ${range[1]} can be had.`,
    )
  return wanted
}

/** Quota, room and row, in the transaction that asks. The volume's reconciler does the rest. */
export async function insertVolume(
  ctx: ActionContext,
  tx: ActionTransaction,
  spec: VolumeSpec,
  zone: string,
): Promise<VolumeTable> {
  await claimVolumeQuota(ctx, tx, 1, spec.sizeGiB)
  const id = newId('volume', ctx.random)
  const row: VolumeTable = {
    id,
    account_id: ctx.caller.accountId,
    availability_zone: zone,
    storage_id: await chooseStorage(tx.db, zone, spec.isEncrypted),
    size_gib: spec.sizeGiB,
    type: spec.type,
    iops: spec.iops,
    throughput: spec.throughput,
    snapshot_id: spec.snapshot?.id ?? null,
    lineage: spec.snapshot && (spec.snapshot.lineage ?? spec.snapshot.volume_id),
    state: 'creating',
    state_reason: null,
    state_changed_at: ctx.nowMs,
    auto_enable_io: 0,
    created_at: ctx.nowMs,
    request_id: ctx.requestId,
    trace_parent: ctx.traceparent,
    observed_state: null,
    observed_size_bytes: null,
    hydrated_percent: null,
    observed_message: null,
    ...(await volumeKeyColumns(ctx, tx, id, spec)),
  }
  await tx.db.insertInto('volume').values(row).execute()
  await openUsage(tx, {
    ...{ resourceId: id, kind: 'volume', variety: row.type, quantity: row.size_gib, zone },
    ...{ accountId: row.account_id, userId: ctx.caller.userId, nowMs: ctx.nowMs },
  })
  tx.touch(id)
  tx.afterCommit(() => ctx.wakes.volume(id))
  return row
}

/** How many, and how much in all. */
export async function claimVolumeQuota(
  ctx: ActionContext,
  tx: ActionTransaction,
  count: number,
  gib: number,
): Promise<void> {
  const { accountId } = ctx.caller
  const used = await tx.db
    .selectFrom('volume')
    .select((eb) => [eb.fn.countAll<number>().as('count'), eb.fn.sum<number>('size_gib').as('gib')])
    .where('account_id', '=', accountId)
    .executeTakeFirstOrThrow()
  const tooMany = (most: number) => volumeLimitExceeded(`You have reached your limit of ${most} volumes.`)
  const tooLarge = (most: number) =>
    volumeLimitExceeded(`You have reached your limit of ${most} GiB of volumes.`)
  await requireQuota(tx.db, ctx.caller, 'volumes', Number(used.count), tooMany, count)
  await requireQuota(tx.db, ctx.caller, 'volume-gib', Number(used.gib ?? 0), tooLarge, gib)
}

/**
 * The one with most room, of a zone or of any: thin volumes are promised more than there is, and go where they can grow.
 */
export async function chooseStorage(db: Reader, zone: string | null, isEncrypted: boolean): Promise<string> {
  const agents = (await listAgents(db, 'storage')).filter(
    (agent) =>
      agent.state === 'enabled' &&
      (zone === null || agent.availability_zone === zone) &&
      agent.silent_since === null,
  )
  const rooms = agents.flatMap((agent) => {
    const says = fingerprintOf(agent)
    if (!says?.healthy || says.freeBytes < leastFreeBytes) return []
    return isEncrypted && says.encrypts !== true ? [] : [{ id: agent.id, free: says.freeBytes }]
  })
  const best = rooms.toSorted((a, b) => b.free - a.free || (a.id < b.id ? -1 : 1))[0]
  if (best) return best.id
  throw insufficientVolumeCapacity(
    `There is currently no storage controller in ${zone ?? 'any zone'} that can take a new ${isEncrypted ? 'encrypted ' : ''}volume.`,
  )
}

/** Throws where a storage controller is of a version, or on a machine, that would keep what is encrypted as plain. */
export async function requireEncrypting(db: Reader, storageId: string): Promise<void> {
  const agent = await db.selectFrom('agent').selectAll().where('id', '=', storageId).executeTakeFirst()
  if (agent && fingerprintOf(agent)?.encrypts === true) return
  throw insufficientVolumeCapacity('The storage controller of the snapshot cannot encrypt.')
}

function fingerprintOf({ fingerprint }: AgentTable): StorageFingerprint | null {
  return fingerprint === null ? null : (JSON.parse(fingerprint) as StorageFingerprint)
}
