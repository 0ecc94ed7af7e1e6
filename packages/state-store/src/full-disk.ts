import { MalleeError } from '@mallee/base'

/** SQLite's words for no room, for the log and for its index in shared memory; a file's; PostgreSQL's. */
const codes = new Set(['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE', 'ENOSPC', 'EDQUOT', '53100'])

/** A transaction that found no room says so by a name of ours: nothing of it was kept, and it may be tried again. */
export function namingFullDisk(error: unknown): unknown {
  if (!codes.has((error as { code?: string }).code ?? '')) return error
  return new MalleeError({
    code: 'Unavailable',
    publicMessage: 'There is no disk space left to record this.',
    cause: error,
    retryable: true,
  })
}
