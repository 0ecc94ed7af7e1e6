import { given, rowOf } from './statements.ts'
import type { Reader, UsageTable } from './tables.ts'

const sums = ['objects', 'bytes', 'versions', 'version_bytes', 'markers', 'uploads', 'part_bytes'] as const
export type Usage = Pick<UsageTable, (typeof sums)[number]>

/** Of all buckets. Their bytes are those that clients see: copies share theirs on the disk. */
export async function wholeUsage(db: Reader): Promise<Usage> {
  const columns = sums.map((name) => `coalesce(sum(${name}), 0) as ${name}`).join(', ')
  return (await rowOf<Usage>(db, `select ${columns} from usage`, [])) as Usage
}

/** Of the first bucket by name after this one: what is kept of it, and what its rows say, at one moment. */
export function countedUsage(
  db: Reader,
  after: string,
): Promise<{ bucket: string; kept: string; counted: string } | null> {
  const own = (text: string) => `(select ${text} where bucket = name)`
  const parts = 'from part join upload on upload.id = part.upload_id'
  const counted = [
    own('count(*) from object'),
    own('coalesce(sum(size), 0) from object'),
    own('count(*) - coalesce(sum(marker), 0) from past'),
    own('coalesce(sum(size), 0) from past'),
    own('coalesce(sum(marker), 0) from past'),
    own('count(*) from upload'),
    own(`coalesce(sum(part.size), 0) ${parts}`),
  ]
  const list = (of: readonly string[]) => of.join(` || ' ' || `)
  return rowOf(
    db,
    `select name as bucket, ${list(counted)} as counted,
      coalesce((select ${list(sums)} from usage where bucket = name), '${sums.map(() => 0).join(' ')}') as kept
      from bucket where name > ${given} order by name limit 1`,
    [after],
  )
}

/** Buckets whose kept usage is not what their rows say; none unless something is very wrong. */
export async function wrongUsage(
  read: <T>(work: (db: Reader) => Promise<T>) => Promise<T>,
): Promise<string[]> {
  const found: string[] = []
  for (let after = ''; ;) {
    const from = after
    const next = await read((db) => countedUsage(db, from))
    if (!next) return found
    if (next.kept !== next.counted)
      found.push(
        `The usage of bucket ${next.bucket} is kept as ${next.kept}, and its rows say ${next.counted}.`,
      )
    after = next.bucket
    await new Promise((resolve) => setImmediate(resolve)) // each may take a while
  }
}
