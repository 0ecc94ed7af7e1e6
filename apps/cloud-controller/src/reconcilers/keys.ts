import type { AccessKeyItem, ItemBody, ItemKind, PrincipalItem, SessionKeyItem } from '@mallee/agent-contract'
import type { Reconciler } from '@mallee/workflow'
import { iamArn, rootArn } from '../identity/arns.ts'
import { listKeyOwners, type KeyOwner } from '../store/account-store.ts'
import { listAgents } from '../store/agent-store.ts'
import { readBundlingKey } from '../store/bundling-key-store.ts'
import { desiredIds, dropDesired, putDesired } from '../store/desired-store.ts'
import { policyTextsOf, tagsOfPrincipal } from '../store/principal-store.ts'
import type { Reader, Tx } from '../store/record.ts'
import { sessionKeyRows } from '../store/session-key-store.ts'
import type { AccountTable } from '../store/tables.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/**
 * Gives walrus the access keys, the principals with their policies and the keys of session tokens, so that it answers S3
 * while the cloud controller is away, and the key that bundles are encrypted for. One object: the walrus.
 */
export function keysReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'keys',
    everyMs: 60_000,
    list: () => ctx.record.read(async (db) => (await listAgents(db, 'walrus')).map((agent) => agent.id)),
    reconcile: (agentId) =>
      ctx.record.transaction('reconcile', async (tx) => {
        const agent = await tx.db.selectFrom('agent').selectAll().where('id', '=', agentId).executeTakeFirst()
        if (!agent || agent.state === 'forgotten') return { settled: true }
        await keep(ctx, tx, agentId, 'access-key', await accessKeys(ctx, tx.db))
        await keep(ctx, tx, agentId, 'principal', await principals(tx.db))
        await keep(ctx, tx, agentId, 'session-key', await sessionKeys(tx.db))
        const bundling = await readBundlingKey(tx.db)
        if (bundling) {
          // Sealed too.
          const body = { certificate: bundling.certificate, privateKey: bundling.sealed_key }
          await putDesired(tx, ctx.wakes, { agentId, kind: 'bundling-key', id: bundling.name, body })
        }
        return { settled: true }
      }),
  }
}

/** Puts all of a kind that there are, and drops what is not among them. */
async function keep<K extends ItemKind>(
  ctx: ReconcilerContext,
  tx: Tx,
  agentId: string,
  kind: K,
  bodies: ReadonlyMap<string, ItemBody<K>>,
): Promise<void> {
  for (const [id, body] of bodies) await putDesired(tx, ctx.wakes, { agentId, kind, id, body } as never)
  for (const id of await desiredIds(tx.db, agentId, kind))
    if (!bodies.has(id)) await dropDesired(tx, ctx.wakes, agentId, kind, id)
}

async function accessKeys(ctx: ReconcilerContext, db: Reader): Promise<Map<string, AccessKeyItem>> {
  return new Map((await listKeyOwners(db)).map((owner) => [owner.key.id, accessKey(ctx, owner)]))
}

function accessKey(ctx: ReconcilerContext, { key, user, account }: KeyOwner): AccessKeyItem {
  return {
    accessKeyId: key.id,
    // Sealed, as the record has it: the agent door opens it when the set is sent.
    secretAccessKey: key.sealed_secret,
    accountId: account.id,
    canonicalId: account.canonical_id,
    accountName: account.name,
    userId: user.id,
    userName: user.name,
    enabled: key.enabled === 1,
    ...(user.is_root === 1 ? {} : { principalId: user.id }),
    ...(ctx.settings.legacySignatures || account.legacy_signatures === 1 ? { legacySignatures: true } : {}),
  }
}

async function principals(db: Reader): Promise<Map<string, PrincipalItem>> {
  const accounts = new Map((await db.selectFrom('account').selectAll().execute()).map((row) => [row.id, row]))
  const found = new Map<string, PrincipalItem>()
  const of = (account: AccountTable) => ({
    accountId: account.id,
    accountName: account.name,
    canonicalId: account.canonical_id,
  })
  for (const user of await db.selectFrom('user').selectAll().execute()) {
    const account = accounts.get(user.account_id)!
    const isRoot = user.is_root === 1
    found.set(user.id, {
      ...{ principalId: user.id, kind: isRoot ? 'root' : 'user', name: user.name, ...of(account) },
      arn: isRoot ? rootArn(account.id) : iamArn('user', user),
      ...(await policiesOf(db, account.id, isRoot ? null : { kind: 'user', id: user.id })),
    })
  }
  for (const role of await db.selectFrom('iam_role').selectAll().execute()) {
    const account = accounts.get(role.account_id)!
    found.set(role.id, {
      ...{ principalId: role.id, kind: 'role', name: role.name, ...of(account) },
      arn: iamArn('role', role),
      ...(await policiesOf(db, account.id, { kind: 'role', id: role.id })),
    })
  }
  return found
}

async function policiesOf(
  db: Reader,
  accountId: string,
  holder: { readonly kind: 'user' | 'role'; readonly id: string } | null,
): Promise<Pick<PrincipalItem, 'policies' | 'tags' | 'boundary' | 'account'>> {
  const texts = await policyTextsOf(db, { accountId, holder })
  return {
    policies: [...(texts.identity ?? [])],
    tags: holder ? await tagsOfPrincipal(db, holder.id) : {},
    ...(texts.boundary ? { boundary: texts.boundary } : {}),
    ...(texts.account.length > 0 ? { account: [...texts.account] } : {}),
  }
}

async function sessionKeys(db: Reader): Promise<Map<string, SessionKeyItem>> {
  const rows = await sessionKeyRows(db)
  return new Map(rows.map((row) => [row.id, { id: row.id, key: row.sealed_key }]))
}
