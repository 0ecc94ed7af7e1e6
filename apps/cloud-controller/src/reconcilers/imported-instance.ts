import { getInstance, nextUsageRevision } from '../store/instance-store.ts'
import type { InstanceImportTable, PlannedInstance } from '../store/instance-import-store.ts'
import { claimPublicAddresses } from '../store/address-store.ts'
import { freeAddresses } from '../store/free-addresses.ts'
import { insertInterface } from '../store/network-store.ts'
import type { Tx } from '../store/record.ts'
import type { VolumeTable } from '../store/tables.ts'
import { transitionImage, transitionInstance } from '../store/transition.ts'
import { insertAttachment, transitionVolume } from '../store/volume-store.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/** The root's, and those of the further disks in order: `/dev/sdb` and so on, also behind `/dev/sdz`. */
export function importedDevice(index: number): string {
  const letter = (place: number) => String.fromCharCode(97 + place)
  if (index === 0) return '/dev/sda1'
  return index < 26 ? `/dev/sd${letter(index)}` : `/dev/sda${letter(index - 26)}`
}

/** The instance of an import, stopped, with its volumes attached: as if it had been launched, and stopped again. */
export async function insertImportedInstance(
  ctx: ReconcilerContext,
  tx: Tx,
  task: InstanceImportTable,
  volumes: readonly VolumeTable[],
): Promise<void> {
  const nowMs = ctx.clock.now()
  const { random, wakes } = ctx
  const planned = JSON.parse(task.planned) as PlannedInstance
  await insertItsImage(tx, task, nowMs)
  await tx.db
    .insertInto('reservation')
    .values({ id: planned.reservation_id, account_id: task.account_id, created_at: nowMs })
    .execute()
  await tx.db
    .insertInto('instance')
    .values({ ...planned, state_changed_at: nowMs, launched_at: nowMs, usage_revision: nextUsageRevision })
    .execute()
  const instance = (await getInstance(tx.db, planned.id))!
  await transitionInstance(tx, instance, 'domainGone', { nowMs, desired: 'stopped' })
  await insertItsInterface(ctx, tx, task, nowMs)
  for (const [index, volume] of volumes.entries()) {
    const isRoot = index === 0
    const device = importedDevice(index)
    const wish = { volume, instanceId: instance.id, device, isRoot, deleteOnTermination: isRoot }
    await insertAttachment(tx, { random, wakes, nowMs }, wish)
    await transitionVolume(tx, volume, 'attachAsked', { nowMs })
  }
  tx.afterCommit(() => wakes.instance(instance.id))
}

/** An instance is of an image, also on AWS where nobody sees the image of an imported one: it says the architecture. */
async function insertItsImage(tx: Tx, task: InstanceImportTable, nowMs: number): Promise<void> {
  await tx.db
    .insertInto('image')
    .values({
      ...{ id: task.image_id, account_id: task.account_id, kind: 'machine', name: task.id },
      ...{ architecture: task.architecture, root_device_type: 'ebs', root_device_name: importedDevice(0) },
      ...{ state: 'pending', state_reason: null, description: null, bucket: '', object_key: '' },
      ...{ kernel_id: null, ramdisk_id: null, is_public: 0, format: null, layout: null, progress: null },
      ...{ size_bytes: null, virtual_size_bytes: null, sha256: null, created_at: nowMs, deprecated_at: null },
      ...{ origin: null, origin_bucket: null, origin_key: null, origin_format: null, source_image_id: null },
      ...{ request_id: task.request_id, trace_parent: task.trace_parent },
    })
    .execute()
  const image = await tx.db
    .selectFrom('image')
    .selectAll()
    .where('id', '=', task.image_id)
    .executeTakeFirstOrThrow()
  await transitionImage(tx, image, 'deregisterAsked', { nowMs })
}

async function insertItsInterface(
  ctx: ReconcilerContext,
  tx: Tx,
  task: InstanceImportTable,
  nowMs: number,
): Promise<void> {
  const { random } = ctx
  const subnet = await tx.db
    .selectFrom('subnet')
    .selectAll()
    .where('id', '=', task.subnet_id)
    .executeTakeFirstOrThrow()
  const privateIp = task.private_ip ?? (await freeAddresses(tx.db, subnet, 1))[0]!
  const groupIds = JSON.parse(task.group_ids) as string[]
  const attachment = { instanceId: task.instance_id, deviceIndex: 0 }
  const entry = await insertInterface(tx, { subnet, privateIp, groupIds, attachment, random, nowMs })
  if (subnet.map_public_ip === 0) return
  const { publicPool: pool } = ctx.settings
  await claimPublicAddresses(tx, { pool, accountId: task.account_id, interfaces: [entry], random, nowMs })
}
