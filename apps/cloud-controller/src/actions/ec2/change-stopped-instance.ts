import {
  invalidInstanceAttributeValue,
  invalidInstanceTypeValue,
  unsupportedParameter,
} from '@mallee/ec2-api'
import { requireLaunchableImage } from '../../store/image-store.ts'
import { changeUse, updateInstance } from '../../store/instance-store.ts'
import type { InstanceTable } from '../../store/tables.ts'
import type { ActionContext, ActionTransaction } from '../define-action.ts'
import { checkUserData } from './resolve-launch.ts'

/** What can only be changed while an instance is stopped: what its next domain is made of. */
export type StoppedAttribute =
  | 'instanceType'
  | 'kernel'
  | 'ramdisk'
  | 'userData'
  | 'ebsOptimized'
  | 'enaSupport'
  | 'sriovNetSupport'

export async function changeStopped(
  ctx: ActionContext,
  tx: ActionTransaction,
  instance: InstanceTable,
  attribute: StoppedAttribute,
  value: string,
): Promise<void> {
  switch (attribute) {
    case 'instanceType':
      return changeType(tx, instance, value)
    case 'kernel':
    case 'ramdisk': {
      const image =
        value === '' // the image's own
          ? null
          : await requireLaunchableImage(tx.db, ctx.caller.accountId, value, attribute)
      const id = image?.id ?? (await ofImage(tx, instance, attribute))
      return updateInstance(tx, instance.id, attribute === 'kernel' ? { kernel_id: id } : { ramdisk_id: id })
    }
    case 'userData':
      return updateInstance(tx, instance.id, { user_data: checkUserData(value) })
    case 'ebsOptimized':
    case 'enaSupport':
      if (value === 'false') return
      throw unsupportedParameter(attribute)
    case 'sriovNetSupport':
      throw unsupportedParameter(attribute)
  }
}

async function ofImage(
  tx: ActionTransaction,
  instance: InstanceTable,
  attribute: 'kernel' | 'ramdisk',
): Promise<string | null> {
  const image = await tx.db
    .selectFrom('image')
    .select(['kernel_id', 'ramdisk_id'])
    .where('id', '=', instance.image_id)
    .executeTakeFirst()
  return (attribute === 'kernel' ? image?.kernel_id : image?.ramdisk_id) ?? null
}

async function changeType(tx: ActionTransaction, instance: InstanceTable, name: string): Promise<void> {
  const type = await tx.db.selectFrom('instance_type').selectAll().where('name', '=', name).executeTakeFirst()
  if (!type) throw invalidInstanceTypeValue(name.slice(0, 60))
  await changeUse(tx, instance.id, {
    instance_type: type.name,
    vcpus: type.vcpus,
    memory_mib: type.memory_mib,
  })
}

/** User data comes as bytes, and is kept as the Base64 that it came in. */
export function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (typeof value === 'string') return value
  throw invalidInstanceAttributeValue('User data is Base64.')
}
