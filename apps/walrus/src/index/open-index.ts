import { sql } from 'kysely'
import { openSqliteStore, type CommitObserver } from '@mallee/state-store'
import { firstIndex } from './migrations/0001-first-index.ts'
import { versionsAndAccess } from './migrations/0002-versions-and-access.ts'
import { smallBytes } from './migrations/0003-small-bytes.ts'
import { scrubTables } from './migrations/0004-scrub.ts'
import { bucketUsage } from './migrations/0005-usage.ts'
import { stagingTable } from './migrations/0006-staging.ts'
import { auditLines } from './migrations/0007-audit.ts'
import type { Index, IndexTables } from './tables.ts'

/** Pages that are kept between reads; SQLite's own 2 MiB would be read from the file again with every small object. */
const cacheKibibytes = 32 * 1024

export async function openIndex(
  file: string,
  { onCommit, shared = false }: { onCommit?: CommitObserver | undefined; shared?: boolean } = {},
): Promise<Index> {
  const index = await openSqliteStore<IndexTables>({
    ...(onCommit ? { onCommit } : {}),
    file,
    shared,
    migrations: [
      firstIndex,
      versionsAndAccess,
      smallBytes,
      scrubTables,
      bucketUsage,
      stagingTable,
      auditLines,
    ],
  })
  await index.read((db) => sql`pragma cache_size = ${sql.raw(String(-cacheKibibytes))}`.execute(db))
  return index
}
