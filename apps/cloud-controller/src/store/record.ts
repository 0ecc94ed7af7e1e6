import type { Kysely } from 'kysely'
import type { CommitObserver, StateStore, StoreTransaction } from '@mallee/state-store'
import { openPostgresStore, openSqliteStore } from '@mallee/state-store'
import { firstLight } from './migrations/0001-first-light.ts'
import { history } from './migrations/0002-history.ts'
import { machines } from './migrations/0003-machines.ts'
import { usage } from './migrations/0004-usage.ts'
import { oldClients } from './migrations/0005-old-clients.ts'
import { compute } from './migrations/0006-compute.ts'
import { bundles } from './migrations/0007-bundles.ts'
import { imports } from './migrations/0008-imports.ts'
import { bundleTasks } from './migrations/0009-bundle-tasks.ts'
import { volumes } from './migrations/0010-volumes.ts'
import { directSnapshots } from './migrations/0011-direct-snapshots.ts'
import { encryption } from './migrations/0012-encryption.ts'
import { diskImports } from './migrations/0013-disk-imports.ts'
import { instanceImports } from './migrations/0014-instance-imports.ts'
import { networks } from './migrations/0015-networks.ts'
import { peerGroups } from './migrations/0016-peer-groups.ts'
import { imageDrivers } from './migrations/0017-image-drivers.ts'
import { identity } from './migrations/0018-identity.ts'
import { auditAndUsage } from './migrations/0019-audit-and-usage.ts'
import { formerPasswords } from './migrations/0020-former-passwords.ts'
import type { Tables } from './tables.ts'

/** A handle that reads; store functions that only read take it. */
export type Reader = Kysely<Tables>
/** A handle inside a transaction; store functions that write take it, so that nothing writes outside one. */
export type Tx = StoreTransaction<Tables>

export const migrations = [
  firstLight,
  history,
  machines,
  usage,
  oldClients,
  compute,
  bundles,
  imports,
  bundleTasks,
  volumes,
  directSnapshots,
  encryption,
  diskImports,
  instanceImports,
  networks,
  peerGroups,
  imageDrivers,
  identity,
  auditAndUsage,
  formerPasswords,
]

export type DatabaseConfig = { engine: 'sqlite'; file: string } | { engine: 'postgres'; url: string }

export function openRecord(
  config: DatabaseConfig,
  onCommit: CommitObserver = () => {},
): Promise<StateStore<Tables>> {
  return config.engine === 'sqlite'
    ? openSqliteStore<Tables>({ file: config.file, migrations, onCommit })
    : openPostgresStore<Tables>({ connectionString: config.url, migrations, onCommit })
}
