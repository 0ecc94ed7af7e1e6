import { newToken, type Random } from '@mallee/base'
import type { ApiCallTable, TrailFileTable, TrailTable } from './audit-tables.ts'
import type { Reader, Tx } from './record.ts'

/** Lines of one file at most. */
const mostLines = 5000

/** What CloudTrail calls global: services that have no region. */
const globalSources = ['iam.amazonaws.com', 'sts.amazonaws.com']

export function getTrail(db: Reader, accountId: string, name: string): Promise<TrailTable | undefined> {
  return db
    .selectFrom('trail')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('name', '=', name)
    .executeTakeFirst()
}

export async function changeTrail(tx: Tx, trail: TrailTable, changes: Partial<TrailTable>): Promise<void> {
  await tx.db
    .updateTable('trail')
    .set(changes)
    .where('account_id', '=', trail.account_id)
    .where('name', '=', trail.name)
    .execute()
}

/** The newest line that there is. */
export async function lastSequence(db: Reader): Promise<number> {
  const row = await db
    .selectFrom('audit_counter')
    .select('value')
    .where('name', '=', 'last')
    .executeTakeFirstOrThrow()
  return row.value
}

function linesOf(db: Reader, trail: Pick<TrailTable, 'account_id' | 'include_global'>) {
  return db
    .selectFrom('api_call')
    .where('account_id', '=', trail.account_id)
    .$if(trail.include_global === 0, (query) => query.where('event_source', 'not in', globalSources))
    .orderBy('sequence')
}

/**
 * Makes files of the account's calls since the last one: which lines, under which name. Walrus writes them. Lines and the place up to
 * which they are in files move in one transaction, so that none is in no file and none in two.
 */
export async function fileTrailLines(
  tx: Tx,
  trail: TrailTable,
  options: { readonly nowMs: number; readonly region: string; readonly random: Random },
): Promise<void> {
  for (let after = trail.sequence; ;) {
    const from = after
    const rows = await linesOf(tx.db, trail)
      .select('sequence')
      .where('sequence', '>', from)
      .limit(mostLines)
      .execute()
    if (rows.length === 0) return
    const file: TrailFileTable = {
      id: newToken('tf-', 20, options.random),
      account_id: trail.account_id,
      trail: trail.name,
      bucket: trail.bucket,
      object_key: keyOf(trail, options),
      first_sequence: rows[0]!.sequence,
      last_sequence: rows.at(-1)!.sequence,
      created_at: options.nowMs,
    }
    await tx.db.insertInto('trail_file').values(file).execute()
    await changeTrail(tx, trail, { sequence: file.last_sequence })
    if (rows.length < mostLines) return
    after = file.last_sequence
  }
}

/** https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html */
function keyOf(trail: TrailTable, options: { nowMs: number; region: string; random: Random }): string {
  const { account_id: account } = trail
  const { region } = options
  const at = new Date(options.nowMs).toISOString()
  const stamp = `${at.slice(0, 16).replaceAll(/[-:]/g, '')}Z`
  const folder = `AWSLogs/${account}/CloudTrail/${region}/${at.slice(0, 10).replaceAll('-', '/')}`
  const prefix = trail.key_prefix === null ? '' : `${trail.key_prefix}/`
  return `${prefix}${folder}/${account}_CloudTrail_${region}_${stamp}_${newToken('', 16, options.random)}.json.gz`
}

/** The lines of a file. */
export async function linesOfFile(db: Reader, file: TrailFileTable): Promise<ApiCallTable[]> {
  const trail = await getTrail(db, file.account_id, file.trail)
  return linesOf(db, { account_id: file.account_id, include_global: trail?.include_global ?? 1 })
    .selectAll()
    .where('sequence', '>=', file.first_sequence)
    .where('sequence', '<=', file.last_sequence)
    .execute()
}
