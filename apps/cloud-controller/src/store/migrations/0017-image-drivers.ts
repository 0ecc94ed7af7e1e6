import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/** What an image's owner says of the drivers in it. */
export const imageDrivers: Migration = {
  name: '0017-image-drivers',
  async up(db: Kysely<unknown>) {
    await sql`alter table image add column sriov_net_support text`.execute(db)
  },
}
