import type { ManifestFacts } from '@mallee/agent-contract'
import { invalidManifest, manifestNotAccessible, serviceUnavailable } from '@mallee/ec2-api'
import { newUuid } from '@mallee/base'
import type { ActionContext } from '../define-action.ts'

/** How long an answer waits for walrus, as every synchronous read does (DECISIONS 16). */
const waitMs = 5_000

export type Manifest = ManifestFacts & { readonly kind: NonNullable<ManifestFacts['kind']> }

/**
 * What the manifest at this place says, read by walrus. Throws AuthFailure where the caller may not read it or there is
 * none, InvalidManifest where it is none, Unavailable where walrus does not answer: whether the image is a kernel, and
 * so its very id, cannot be known then.
 */
export async function askManifest(
  ctx: ActionContext,
  place: { readonly bucket: string; readonly object_key: string },
): Promise<Manifest> {
  const id = newUuid(ctx.random)
  await ctx.transaction(async (tx) => {
    const row = { id, account_id: ctx.caller.accountId, ...place, created_at: ctx.nowMs, facts: null }
    await tx.db.insertInto('manifest').values(row).execute()
    tx.afterCommit(() => ctx.wakes.manifest(id))
  })
  let facts: ManifestFacts | null = null
  await ctx.waitUntil(async (db) => {
    const row = await db.selectFrom('manifest').select('facts').where('id', '=', id).executeTakeFirst()
    facts = row?.facts ? (JSON.parse(row.facts) as ManifestFacts) : null
    return facts !== null
  }, waitMs)
  return checked(facts)
}

function checked(facts: ManifestFacts | null): Manifest {
  if (!facts)
    throw serviceUnavailable('The object storage did not say in time what the manifest holds. Try again.')
  if (facts.state === 'unreadable') throw manifestNotAccessible()
  if (facts.state === 'malformed' || facts.kind === null)
    throw invalidManifest(facts.message ?? 'The manifest cannot be read.')
  return { ...facts, kind: facts.kind }
}
