import { newId } from '@mallee/base'
import {
  invalidKeyFormat,
  invalidKeyPairDuplicate,
  invalidKeyPairNotFound,
  invalidParameterValue,
  resourceLimitExceeded,
  unsupportedParameter,
} from '@mallee/ec2-api'
import { createKey, readPublicKey } from '../../identity/ssh-keys.ts'
import { quotaOf } from '../../store/quota-store.ts'
import { deleteTagsOf, putTags, readTags } from '../../store/tag-store.ts'
import type { KeyPairTable } from '../../store/tables.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { applyFilters } from '../filters.ts'
import { tagRows } from '../tag-specifications.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateKeyPair.html */
export const createKeyPair = defineEc2Action('CreateKeyPair', {
  honours: ['KeyName', 'KeyType', 'KeyFormat', 'TagSpecifications', 'DryRun'],
  async run(ctx, input) {
    if (input.KeyFormat === 'ppk') throw unsupportedParameter('KeyFormat')
    checkName(input.KeyName)
    const created = await createKey(input.KeyType === 'ed25519' ? 'ed25519' : 'rsa', input.KeyName)
    const { row, tags } = await insert(ctx, input, {
      type: created.type,
      fingerprint: created.fingerprint,
      publicKey: created.openssh,
    })
    return {
      KeyName: row.name,
      KeyPairId: row.id,
      KeyFingerprint: row.fingerprint,
      KeyMaterial: created.privateKey,
      Tags: tags,
    }
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImportKeyPair.html */
export const importKeyPair = defineEc2Action('ImportKeyPair', {
  honours: ['KeyName', 'PublicKeyMaterial', 'TagSpecifications', 'DryRun'],
  async run(ctx, input) {
    checkName(input.KeyName)
    const key = readPublicKey(input.PublicKeyMaterial)
    if (!key) throw invalidKeyFormat()
    const { row, tags } = await insert(ctx, input, {
      type: key.type,
      fingerprint: key.fingerprint,
      publicKey: key.openssh,
    })
    return { KeyName: row.name, KeyPairId: row.id, KeyFingerprint: row.fingerprint, Tags: tags }
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeKeyPairs.html */
export const describeKeyPairs = defineEc2Action('DescribeKeyPairs', {
  honours: ['KeyNames', 'KeyPairIds', 'IncludePublicKey', 'Filters', 'DryRun'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
      const rows = await db
        .selectFrom('key_pair')
        .selectAll()
        .where('account_id', '=', ctx.caller.accountId)
        .orderBy('name')
        .execute()
      const missing = (input.KeyNames ?? []).filter((name) => !rows.some((row) => row.name === name))
      if (missing.length > 0) throw invalidKeyPairNotFound(missing)
      const missingIds = (input.KeyPairIds ?? []).filter((id) => !rows.some((row) => row.id === id))
      if (missingIds.length > 0) throw invalidKeyPairNotFound(missingIds)
      const named = rows.filter(
        (row) =>
          ((input.KeyNames?.length ?? 0) === 0 || input.KeyNames!.includes(row.name)) &&
          ((input.KeyPairIds?.length ?? 0) === 0 || input.KeyPairIds!.includes(row.id)),
      )
      const tags = await readTags(
        db,
        ctx.caller.accountId,
        named.map((row) => row.id),
      )
      const found = applyFilters(
        named,
        input.Filters,
        {
          'key-name': (row) => [row.name],
          'key-pair-id': (row) => [row.id],
          fingerprint: (row) => [row.fingerprint],
        },
        (row) => tags.get(row.id) ?? [],
      )
      return {
        KeyPairs: found.map((row) => ({
          KeyPairId: row.id,
          KeyName: row.name,
          KeyType: row.type,
          KeyFingerprint: row.fingerprint,
          CreateTime: new Date(row.created_at),
          Tags: tags.get(row.id) ?? [],
          ...(input.IncludePublicKey ? { PublicKey: `${row.public_key} ${row.name}` } : {}),
        })),
      }
    })
  },
})

/** Success where there is none, as AWS has it. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteKeyPair.html */
export const deleteKeyPair = defineEc2Action('DeleteKeyPair', {
  honours: ['KeyName', 'KeyPairId', 'DryRun'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      if (input.KeyName === undefined && input.KeyPairId === undefined)
        throw invalidParameterValue('Either KeyName or KeyPairId must be given.')
      let query = tx.db.selectFrom('key_pair').selectAll().where('account_id', '=', ctx.caller.accountId)
      if (input.KeyName !== undefined) query = query.where('name', '=', input.KeyName)
      if (input.KeyPairId !== undefined) query = query.where('id', '=', input.KeyPairId)
      const row = await query.executeTakeFirst()
      if (!row) return { Return: true }
      await deleteTagsOf(tx, row.id)
      await tx.db.deleteFrom('key_pair').where('id', '=', row.id).execute()
      tx.touch(row.id)
      return { Return: true, KeyPairId: row.id }
    })
  },
})

function checkName(name: string): void {
  if (name.length === 0 || name.length > 255 || !/^[\x20-\x7e]+$/.test(name) || name !== name.trim()) {
    throw invalidParameterValue(
      `Value '${name.slice(0, 60)}' for keyName is invalid. It must be 1 to 255 ASCII characters without spaces around.`,
    )
  }
}

type Created = { row: KeyPairTable; tags: { Key: string; Value: string }[] }

function insert(
  ctx: ActionContext,
  input: { KeyName: string; TagSpecifications?: Parameters<typeof tagRows>[1] },
  key: { type: KeyPairTable['type']; fingerprint: string; publicKey: string },
): Promise<Created> {
  return ctx.transaction(async (tx: ActionTransaction) => {
    const present = await tx.db
      .selectFrom('key_pair')
      .select('name')
      .where('account_id', '=', ctx.caller.accountId)
      .execute()
    if (present.some((row) => row.name === input.KeyName)) throw invalidKeyPairDuplicate(input.KeyName)
    const quota = await quotaOf(tx.db, ctx.caller.accountId, 'key-pairs')
    if (present.length >= quota)
      throw resourceLimitExceeded(`You have reached your limit of ${quota} key pairs.`)
    const row: KeyPairTable = {
      id: newId('keyPair', ctx.random),
      account_id: ctx.caller.accountId,
      name: input.KeyName,
      type: key.type,
      fingerprint: key.fingerprint,
      public_key: key.publicKey,
      created_at: ctx.nowMs,
    }
    await tx.db.insertInto('key_pair').values(row).execute()
    const tags = tagRows(ctx, input.TagSpecifications, 'key-pair', [row.id])
    await putTags(tx, tags)
    tx.touch(row.id)
    return { row, tags: tags.map((tag) => ({ Key: tag.key, Value: tag.value })) }
  })
}
