import { launchMappings, type MappingInput } from '../actions/ec2/block-device-mappings.ts'
import type { Reader } from '../store/record.ts'
import type { Conditions } from './resource-conditions.ts'

interface VolumeWish {
  readonly Size?: number | undefined
  readonly VolumeType?: string | undefined
  readonly Iops?: number | undefined
  readonly Encrypted?: boolean | undefined
}

/** Condition keys of a volume that is asked for. */
export const volumeConditions = (wish: VolumeWish): Conditions => ({
  'ec2:VolumeSize': wish.Size,
  'ec2:VolumeType': wish.VolumeType,
  'ec2:VolumeIops': wish.Iops,
  'ec2:Encrypted': wish.Encrypted === true,
})

/**
 * Of every volume that a launch makes, by its image and by the request: so that a launch is no way around what is said
 * of CreateVolume. One without any where it makes none, for the volume is asked for all the same.
 */
export async function launchVolumes(
  db: Reader,
  input: Readonly<Record<string, unknown>>,
): Promise<Conditions[]> {
  const asked = (input['BlockDeviceMappings'] ?? []) as readonly MappingInput[]
  const imageId = typeof input['ImageId'] === 'string' ? input['ImageId'] : ''
  // The launch itself refuses mappings that make no sense, in its own words.
  const mapped = await launchMappings(db, imageId, asked).catch(() => asked)
  const made = mapped.flatMap(({ Ebs: ebs }) => (ebs ? [ebs] : []))
  if (made.length === 0) return [volumeConditions({})]
  return Promise.all(
    made.map(async ({ VolumeSize, SnapshotId, ...wish }) => {
      const snapshot = await ofSnapshot(db, SnapshotId)
      const encrypted = wish.Encrypted === true || (snapshot?.kms_key_id ?? null) !== null
      return volumeConditions({ ...wish, Size: VolumeSize ?? snapshot?.size_gib, Encrypted: encrypted })
    }),
  )
}

async function ofSnapshot(db: Reader, id: string | undefined) {
  if (id === undefined) return null
  const found = db.selectFrom('snapshot').select(['size_gib', 'kms_key_id']).where('id', '=', id)
  return (await found.executeTakeFirst()) ?? null
}
