import {
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  operationNotPermitted,
  unsupportedParameter,
  type Ec2Input,
} from '@mallee/ec2-api'
import type { Tx } from '../../store/record.ts'
import { forbidSnapshot, permitSnapshot, readSnapshotPermissions } from '../../store/snapshot-store.ts'
import type { SnapshotTable } from '../../store/tables.ts'
import { defineEc2Action } from '../define-action.ts'
import { accountIdsOf, hasAll, knownAccountsOf, type Malformed, type Permission } from './permissions.ts'
import { requireOwnSnapshot } from './require-volumes.ts'

interface Change {
  readonly add: readonly Permission[]
  readonly remove: readonly Permission[]
}

/**
 * Who may make volumes of a snapshot; in today's spelling and in that of the first clients.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySnapshotAttribute.html
 */
export const modifySnapshotAttribute = defineEc2Action('ModifySnapshotAttribute', {
  honours: [
    'SnapshotId',
    'Attribute',
    'OperationType',
    'UserIds',
    'GroupNames',
    'CreateVolumePermission.Add.UserId',
    'CreateVolumePermission.Add.Group',
    'CreateVolumePermission.Remove.UserId',
    'CreateVolumePermission.Remove.Group',
  ],
  run(ctx, input) {
    const change = changeOf(input)
    return ctx.transaction(async (tx) => {
      const snapshot = await requireOwnSnapshot(ctx, tx.db, input.SnapshotId)
      await changePermissions(tx, snapshot, change)
      tx.touch(snapshot.id)
      tx.afterCommit(() => ctx.wakes.snapshot(snapshot.id)) // walrus gives out blocks by it
      return {}
    })
  },
})

function changeOf(input: Ec2Input<'ModifySnapshotAttribute'>): Change {
  if (input.Attribute !== undefined && input.Attribute !== 'createVolumePermission')
    throw unsupportedParameter(`Attribute ${input.Attribute}`)
  const items: Permission[] = [
    ...(input.UserIds ?? []).map((UserId) => ({ UserId })),
    ...(input.GroupNames ?? []).map((Group) => ({ Group })),
  ]
  const today = input.CreateVolumePermission
  if (today && (items.length > 0 || input.OperationType !== undefined))
    throw invalidParameterCombination(
      'CreateVolumePermission goes without OperationType, UserId and UserGroup.',
    )
  if (today) return { add: today.Add ?? [], remove: today.Remove ?? [] }
  if (items.length === 0) throw missingParameter('createVolumePermission')
  if (input.OperationType === undefined) throw missingParameter('operationType')
  return input.OperationType === 'add' ? { add: items, remove: [] } : { add: [], remove: items }
}

async function changePermissions(tx: Tx, snapshot: SnapshotTable, { add, remove }: Change): Promise<void> {
  // Nobody else has its key, and there is no other kind of key here.
  if (add.length > 0 && snapshot.kms_key_id !== null)
    throw operationNotPermitted('Encrypted snapshots with EBS default key cannot be shared')
  const [added, removed] = [await knownAccountsOf(tx.db, add, malformed), accountIdsOf(remove, malformed)]
  await forbidSnapshot(tx, snapshot.id, removed)
  await permitSnapshot(tx, snapshot.id, added)
  const isPublic = hasAll(add) ? 1 : hasAll(remove) ? 0 : snapshot.is_public
  await tx.db.updateTable('snapshot').set({ is_public: isPublic }).where('id', '=', snapshot.id).execute()
}

const malformed: Malformed = (value, parameter) =>
  invalidParameterValue(`Value (${value.slice(0, 60)}) for parameter ${parameter} is invalid.`)

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSnapshotAttribute.html */
export const describeSnapshotAttribute = defineEc2Action('DescribeSnapshotAttribute', {
  honours: ['SnapshotId', 'Attribute'],
  run: (ctx, input) =>
    ctx.read(async (db) => {
      const snapshot = await requireOwnSnapshot(ctx, db, input.SnapshotId)
      if (input.Attribute === 'productCodes') return { SnapshotId: snapshot.id, ProductCodes: [] }
      if (input.Attribute !== 'createVolumePermission')
        throw unsupportedParameter(`Attribute ${String(input.Attribute).slice(0, 60)}`)
      const accounts = (await readSnapshotPermissions(db, [snapshot.id])).get(snapshot.id) ?? []
      return {
        SnapshotId: snapshot.id,
        CreateVolumePermissions: [
          ...(snapshot.is_public === 1 ? [{ Group: 'all' as const }] : []),
          ...accounts.map((UserId) => ({ UserId })),
        ],
      }
    }),
})

/** Back to the owner alone. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResetSnapshotAttribute.html */
export const resetSnapshotAttribute = defineEc2Action('ResetSnapshotAttribute', {
  honours: ['SnapshotId', 'Attribute'],
  run(ctx, input) {
    if (input.Attribute !== 'createVolumePermission')
      throw unsupportedParameter(`Attribute ${String(input.Attribute).slice(0, 60)}`)
    return ctx.transaction(async (tx) => {
      const snapshot = await requireOwnSnapshot(ctx, tx.db, input.SnapshotId)
      await tx.db.deleteFrom('snapshot_permission').where('snapshot_id', '=', snapshot.id).execute()
      await tx.db.updateTable('snapshot').set({ is_public: 0 }).where('id', '=', snapshot.id).execute()
      tx.touch(snapshot.id)
      tx.afterCommit(() => ctx.wakes.snapshot(snapshot.id))
      return {}
    })
  },
})
