import { newToken, type Random } from '@mallee/base'

/** Of one content of a key: opaque, never derived from the key. */
export const newObjectId = (random: Random): string => newToken('', 32, random).toLowerCase()

/** Begins with the time, so that the uploads of a key are listed in the order they began. */
export const newUploadId = (nowMs: number, random: Random): string =>
  `${nowMs.toString(16).padStart(12, '0')}${newToken('', 32, random)}`

/** Opaque, as S3's are. */
export const newVersionId = (random: Random): string => newToken('', 32, random)
