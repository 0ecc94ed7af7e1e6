import type { Ec2Output } from '@mallee/ec2-api'
import { importMs, type DiskImportTable } from '../../store/disk-import-store.ts'
import { disksOfImport, type InstanceImportTable } from '../../store/instance-import-store.ts'
import type { Reader } from '../../store/record.ts'
import { readTags } from '../../store/tag-store.ts'
import { getVolume } from '../../store/volume-store.ts'
import type { ActionContext } from '../define-action.ts'
import { importMessage, importStatus } from './import-snapshot.ts'

type Task = NonNullable<Ec2Output<'DescribeConversionTasks'>['ConversionTasks']>[number]

/** Of ImportVolume. */
export async function volumeTaskView(ctx: ActionContext, db: Reader, task: DiskImportTable): Promise<Task> {
  const message = importMessage(task)
  return {
    ...(await headOf(ctx, db, task)),
    State: stateOf(importStatus(task)),
    ...(message === null ? {} : { StatusMessage: message }),
    ImportVolume: await diskView(ctx, db, task),
  }
}

/** Of ImportInstance: its instance has its id from the start, and is there when the task is completed. */
export async function instanceTaskView(
  ctx: ActionContext,
  db: Reader,
  task: InstanceImportTable,
): Promise<Task> {
  const disks = await disksOfImport(db, task.id)
  const message = messageOf(task, disks)
  const volumes = disks.map(async (disk) => {
    const why = importMessage(disk)
    const view = await diskView(ctx, db, disk)
    return { ...view, Status: stateOf(importStatus(disk)), ...(why === null ? {} : { StatusMessage: why }) }
  })
  return {
    ...(await headOf(ctx, db, task)),
    State: stateOf(importStatus(task)),
    ...(message === null ? {} : { StatusMessage: message }),
    ImportInstance: {
      InstanceId: task.instance_id,
      // AWS's model knows Windows alone, its older tools both.
      Platform: 'Linux' as 'Windows',
      ...(task.description === '' ? {} : { Description: task.description }),
      Volumes: await Promise.all(volumes),
    },
  }
}

/** While it is under way, what is so of the disk that is behind the others. */
function messageOf(task: InstanceImportTable, disks: readonly DiskImportTable[]): string | null {
  if (task.phase !== 'converting') return importMessage(task)
  const behind = disks.find(({ phase }) => phase === 'converting') ?? disks.find(isOpen)
  return behind ? importMessage(behind) : 'storing'
}

const isOpen = ({ phase }: DiskImportTable) => phase !== 'completed'

async function headOf(
  ctx: ActionContext,
  db: Reader,
  task: { readonly id: string; readonly created_at: number },
) {
  return {
    ConversionTaskId: task.id,
    ExpirationTime: new Date(task.created_at + importMs).toISOString(),
    Tags: (await readTags(db, ctx.caller.accountId, [task.id])).get(task.id) ?? [],
  }
}

function stateOf(status: ReturnType<typeof importStatus>): NonNullable<Task['State']> {
  return status === 'deleting' ? 'cancelling' : status === 'deleted' ? 'cancelled' : status
}

async function diskView(ctx: ActionContext, db: Reader, disk: DiskImportTable) {
  const volume = disk.volume_id === null ? undefined : await getVolume(db, disk.volume_id)
  const share = disk.phase === 'converting' ? (disk.progress ?? 0) / 100 : 1
  return {
    AvailabilityZone: disk.availability_zone ?? '',
    BytesConverted: Math.floor((disk.source_bytes ?? 0) * share),
    ...(disk.description === '' || disk.description === null ? {} : { Description: disk.description }),
    Image: {
      Format: disk.format.toUpperCase() as 'RAW',
      Size: disk.source_bytes ?? 0,
      ImportManifestUrl: disk.sealed_url === null ? '' : ctx.keyring.open(disk.sealed_url, disk.id),
    },
    Volume: {
      ...(volume ? { Size: volume.size_gib } : {}),
      ...(disk.phase === 'completed' ? { Id: disk.volume_id! } : {}),
    },
  }
}
