import { s3Error } from '@mallee/s3-api'

const full = new Set(['ENOSPC', 'EDQUOT', 'SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE'])

/** Errors that nobody named, in S3's words; the log has the whole chain. */
export function toS3Error(thrown: unknown) {
  for (let error: unknown = thrown; error instanceof Error; error = error.cause) {
    if (full.has((error as NodeJS.ErrnoException).code ?? ''))
      return s3Error('InsufficientStorage', { cause: thrown })
    if ((error as NodeJS.ErrnoException).code === 'StoreUnavailable')
      return s3Error('ServiceUnavailable', { cause: thrown })
  }
  return s3Error('InternalError', { cause: thrown })
}
