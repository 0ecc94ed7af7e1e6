import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/**
 * What each bucket holds, kept by triggers: in the transaction of whatever changes it, and by no code path's leave. Cheap to
 * read however large the bucket, at the price of one more row with every write.
 */
const count = (bucket: string, changes: Readonly<Record<string, string>>): string => {
  const names = Object.keys(changes)
  return `insert into usage (bucket, ${names.join(', ')}) values (${bucket}, ${Object.values(changes).join(', ')})
    on conflict (bucket) do update set ${names.map((name) => `${name} = ${name} + excluded.${name}`).join(', ')}`
}

const trigger = (name: string, when: string, work: string): string =>
  `create trigger usage_${name} after ${when} begin ${work}; end`

const ofUpload = (row: string) => `(select bucket from upload where id = ${row}.upload_id)`
const past = (row: string, sign: string) => ({
  versions: `${sign}(1 - ${row}.marker)`,
  version_bytes: `${sign}${row}.size`,
  markers: `${sign}${row}.marker`,
})

const statements = [
  `create table usage (bucket text primary key, objects integer not null default 0, bytes integer not null default 0,
    versions integer not null default 0, version_bytes integer not null default 0, markers integer not null default 0,
    uploads integer not null default 0, part_bytes integer not null default 0) without rowid`,
  `insert into usage (bucket, objects, bytes) select bucket, count(*), sum(size) from object group by bucket`,
  `insert into usage (bucket, versions, version_bytes, markers)
    select bucket, count(*) - sum(marker), sum(size), sum(marker) from past where true group by bucket
    on conflict (bucket) do update set versions = excluded.versions, version_bytes = excluded.version_bytes,
    markers = excluded.markers`,
  `insert into usage (bucket, uploads) select bucket, count(*) from upload where true group by bucket
    on conflict (bucket) do update set uploads = excluded.uploads`,
  `insert into usage (bucket, part_bytes)
    select bucket, sum(part.size) from part join upload on upload.id = part.upload_id where true group by bucket
    on conflict (bucket) do update set part_bytes = excluded.part_bytes`,
  trigger('object_in', 'insert on object', count('new.bucket', { objects: '1', bytes: 'new.size' })),
  trigger('object_out', 'delete on object', count('old.bucket', { objects: '-1', bytes: '-old.size' })),
  trigger('past_in', 'insert on past', count('new.bucket', past('new', ''))),
  trigger('past_out', 'delete on past', count('old.bucket', past('old', '-'))),
  trigger('upload_in', 'insert on upload', count('new.bucket', { uploads: '1' })),
  trigger('upload_out', 'delete on upload', count('old.bucket', { uploads: '-1' })),
  // Parts go before their upload does.
  trigger('part_in', 'insert on part', count(ofUpload('new'), { part_bytes: 'new.size' })),
  trigger('part_out', 'delete on part', count(ofUpload('old'), { part_bytes: '-old.size' })),
  trigger('bucket_out', 'delete on bucket', 'delete from usage where bucket = old.name'),
]

export const bucketUsage: Migration = {
  name: '0005-usage',
  // oxlint-disable-next-line typescript/no-explicit-any -- a migration speaks of tables as they were
  async up(db: Kysely<any>) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
