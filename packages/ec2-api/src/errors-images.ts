/** EC2's errors about an image's attributes, its copies, and the work of making images that is asked for by id. */
import { AwsError } from '@mallee/aws-protocol'

/** Something that no launch permission can be given to: `item` is userId or userGroup. */
export function invalidAmiAttributeItemValue(value: string, item: 'userId' | 'userGroup'): AwsError {
  return new AwsError(
    'InvalidAMIAttributeItemValue',
    `Invalid attribute item value "${value.slice(0, 200)}" for ${item} item type.`,
  )
}

/** An image whose bytes are not known yet, or are not to be used: the state is named. */
export function amiInState(id: string, state: string): AwsError {
  return new AwsError(
    'InvalidAMIID.Unavailable',
    `The AMI ID '${id}' is currently ${state} and may not be used for this operation`,
  )
}

/** An image that may be launched and not copied: its bytes are readable by its owner only. */
export function amiStorageNotPermitted(): AwsError {
  return new AwsError('InvalidRequest', 'You do not have permission to access the storage of this ami')
}

/** Whoever it is shared with has no key to what it maps. */
export function encryptedImageNotShared(): AwsError {
  return new AwsError(
    'InvalidParameter',
    "Snapshots encrypted with the AWS Managed CMK can't be shared. Specify another snapshot.",
  )
}

/** DescribeImages that asks for disabled images by a filter and leaves them out by a parameter. */
export function disabledImagesLeftOut(): AwsError {
  return new AwsError(
    'InvalidParameter',
    "When filtering by the 'disabled' state, 'IncludeDisabled' must be set to 'true' in the request.",
  )
}

/** A manifest that is not there, or not the caller's to read: which of them is not told. */
export function manifestNotAccessible(): AwsError {
  return new AwsError('AuthFailure', 'Manifest is not accessible', 403)
}

/** Kernels and ramdisks, as Eucalyptus had it. */
export function onlyAdminsRegister(kind: 'kernel' | 'ramdisk'): AwsError {
  return new AwsError('AuthFailure', `Only administrators can register a ${kind}`, 403)
}

export function invalidUserIdMalformed(id: string): AwsError {
  return new AwsError('InvalidUserID.Malformed', `Invalid user id: "${id.slice(0, 200)}"`)
}

export function invalidBundleIdNotFound(ids: readonly string[]): AwsError {
  return new AwsError('InvalidBundleID.NotFound', `Could not find bundle task with id '${shown(ids)}'`)
}

/** An instance is bundled once at a time. */
export function bundlingInProgress(id: string): AwsError {
  return new AwsError(
    'BundlingInProgress',
    `The specified instance already has a bundling task in progress: ${id}`,
  )
}

/** Of imports of instances, volumes, images and snapshots. */
export function invalidConversionTaskId(ids: readonly string[]): AwsError {
  return new AwsError('InvalidConversionTaskId', `The conversion task ID '${shown(ids)}' does not exist`)
}

export function invalidConversionTaskIdMalformed(id: string): AwsError {
  return new AwsError('InvalidConversionTaskId.Malformed', `Invalid conversion task ID: "${shown([id])}"`)
}

export function invalidExportTaskIdNotFound(ids: readonly string[]): AwsError {
  return new AwsError('InvalidExportTaskID.NotFound', `The export task ID '${shown(ids)}' does not exist`)
}

export function invalidFpgaImageIdNotFound(ids: readonly string[]): AwsError {
  return new AwsError('InvalidFpgaImageID.NotFound', `Image ID '${shown(ids)}' not found.`)
}

const shown = (ids: readonly string[]) => ids.join(', ').slice(0, 1000)
