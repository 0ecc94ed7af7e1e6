import { newId } from '@mallee/base'
import { invalidAvailabilityZone, invalidParameterValue, type Ec2Output } from '@mallee/ec2-api'
import { parseS3Address } from '@mallee/s3-api'
import {
  importMs,
  getDiskImport,
  listDiskImports,
  type DiskImportTable,
} from '../../store/disk-import-store.ts'
import type { Reader } from '../../store/record.ts'
import { readTags } from '../../store/tag-store.ts'
import { getVolume } from '../../store/volume-store.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { diskFormat } from './disk-container.ts'
import { importMessage, importStatus } from './import-snapshot.ts'
import { cancelDiskImport, insertImport, insertImportedSnapshot } from './insert-disk-import.ts'
import { resolveEncryption } from './encryption.ts'
import { requireTaskForm, shownTasks } from './import-task-ids.ts'
import { checkVolumeType, insertVolume } from './new-volume.ts'
import { checkDescription } from './snapshots.ts'

/** Longer addresses are none that a client signs. */
const longestUrl = 8192

/**
 * Makes a volume of a disk that EC2's older tools bring in parts. The parts may be uploaded afterwards: the manifest and
 * they are waited for. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImportVolume.html
 */
export const importVolume = defineEc2Action('ImportVolume', {
  honours: ['AvailabilityZone', 'Description', 'Image', 'Volume.Size'],
  async run(ctx, input) {
    const zone = input.AvailabilityZone ?? ctx.settings.availabilityZones[0]!
    if (!ctx.settings.availabilityZones.includes(zone)) throw invalidAvailabilityZone(zone.slice(0, 100))
    const { Format: given, Bytes: bytes, ImportManifestUrl: url } = input.Image
    const format = diskFormat(given, 'Image.Format')
    const place = placeOf(url)
    const said = checkDescription(input.Description)
    const sizeGiB = input.Volume.Size
    const taskId = await ctx.transaction(async (tx) => {
      const id = newId('conversionTask', ctx.random)
      // AWS's own has no parameter for it; an account that encrypts by default does.
      const wish = { encrypted: undefined, kmsKeyId: undefined }
      const isEncrypted = await resolveEncryption(ctx, tx.db, wish, null)
      const description = `Of ${id}`
      const snapshot = await insertImportedSnapshot(ctx, tx, { description, zone, isEncrypted })
      const type = checkVolumeType({ sizeGiB, type: undefined, iops: undefined, throughput: undefined })
      const volume = await insertVolume(ctx, tx, { sizeGiB, snapshot, ...type, isEncrypted }, zone)
      await insertImport(ctx, tx, {
        ...{ id, snapshot_id: snapshot.id, volume_id: volume.id, availability_zone: zone },
        ...{ format, ...place, in_parts: 1, source_bytes: bytes, description: said },
        sealed_url: ctx.keyring.seal(url, id),
      })
      return id
    })
    return ctx.read(async (db) => {
      const task = (await getDiskImport(db, taskId))!
      return { ConversionTask: await taskView(ctx, db, task) }
    })
  },
})

/** Where walrus has the manifest: whose URL it is, and what it is signed with, is of no account. */
function placeOf(text: string): { bucket: string; key: string } {
  const url = text.length <= longestUrl && URL.canParse(text) ? new URL(text) : null
  const address = url && /^https?:$/.test(url.protocol) ? parseS3Address(url.host, url.pathname) : null
  if (!address?.bucket || !address.key)
    throw invalidParameterValue(
      'Value for parameter Image.ImportManifestUrl is invalid. It must be the URL of an object in a bucket of this cloud.',
    )
  return { bucket: address.bucket, key: address.key }
}

type Task = NonNullable<Ec2Output<'DescribeConversionTasks'>['ConversionTasks']>[number]

async function taskView(ctx: ActionContext, db: Reader, task: DiskImportTable): Promise<Task> {
  const volume = task.volume_id === null ? undefined : await getVolume(db, task.volume_id)
  const tags = (await readTags(db, ctx.caller.accountId, [task.id])).get(task.id) ?? []
  const status = importStatus(task)
  const message = importMessage(task)
  const share = task.phase === 'converting' ? (task.progress ?? 0) / 100 : 1
  return {
    ConversionTaskId: task.id,
    ExpirationTime: new Date(task.created_at + importMs).toISOString(),
    State: status === 'deleting' ? 'cancelling' : status === 'deleted' ? 'cancelled' : status,
    ...(message === null ? {} : { StatusMessage: message }),
    ImportVolume: {
      AvailabilityZone: task.availability_zone ?? '',
      BytesConverted: Math.floor((task.source_bytes ?? 0) * share),
      ...(task.description === '' || task.description === null ? {} : { Description: task.description }),
      Image: {
        Format: task.format.toUpperCase() as 'RAW',
        Size: task.source_bytes ?? 0,
        ImportManifestUrl: task.sealed_url === null ? '' : ctx.keyring.open(task.sealed_url, task.id),
      },
      Volume: {
        ...(volume ? { Size: volume.size_gib } : {}),
        ...(status === 'completed' ? { Id: task.volume_id! } : {}),
      },
    },
    Tags: tags,
  }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeConversionTasks.html */
export const describeConversionTasks = defineEc2Action('DescribeConversionTasks', {
  honours: ['ConversionTaskIds'],
  async run(ctx, input) {
    const ids = input.ConversionTaskIds ?? []
    requireTaskForm(ids)
    return ctx.read(async (db) => {
      const found = await listDiskImports(db, ctx.caller.accountId, { kind: 'volume', ids })
      const shown = shownTasks(found, { ids, since: ctx.nowMs - importMs })
      return { ConversionTasks: await Promise.all(shown.map((task) => taskView(ctx, db, task))) }
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CancelConversionTask.html */
export const cancelConversionTask = defineEc2Action('CancelConversionTask', {
  honours: ['ConversionTaskId', 'ReasonMessage'],
  async run(ctx, input) {
    requireTaskForm([input.ConversionTaskId])
    const reason = input.ReasonMessage?.slice(0, 255) ?? null
    return ctx.transaction(async (tx) => {
      await cancelDiskImport(ctx, tx, input.ConversionTaskId, 'volume', reason)
      return {}
    })
  },
})
