import { openSqliteStore, type CommitObserver } from '@mallee/state-store'
import { firstIndex } from './migrations/0001-first-index.ts'
import { versionsAndAccess } from './migrations/0002-versions-and-access.ts'
import { smallBytes } from './migrations/0003-small-bytes.ts'
import { scrubTables } from './migrations/0004-scrub.ts'
import type { Index, IndexTables } from './tables.ts'

export function openIndex(
  file: string,
  { onCommit, shared = false }: { onCommit?: CommitObserver | undefined; shared?: boolean } = {},
): Promise<Index> {
  return openSqliteStore<IndexTables>({
    ...(onCommit ? { onCommit } : {}),
    file,
    shared,
    migrations: [firstIndex, versionsAndAccess, smallBytes, scrubTables],
  })
}
