import { newId } from '@mallee/base'
import { invalidAvailabilityZone } from '@mallee/ec2-api'
import { getDiskImport } from '../../store/disk-import-store.ts'
import { defineEc2Action } from '../define-action.ts'
import { volumeTaskView } from './conversion-task-views.ts'
import { diskFormat, manifestPlace } from './disk-container.ts'
import { insertImportedVolume } from './insert-disk-import.ts'
import { checkDescription } from './snapshots.ts'

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
    const disk = {
      format: diskFormat(given, 'Image.Format'),
      ...manifestPlace(url, 'Image.ImportManifestUrl'),
      ...{ url, zone, source_bytes: bytes, sizeGiB: input.Volume.Size },
      description: checkDescription(input.Description),
    }
    const taskId = await ctx.transaction(async (tx) => {
      const id = newId('conversionTask', ctx.random)
      await insertImportedVolume(ctx, tx, { ...disk, id, of: id })
      return id
    })
    return ctx.read(async (db) => {
      const task = (await getDiskImport(db, taskId))!
      return { ConversionTask: await volumeTaskView(ctx, db, task) }
    })
  },
})
