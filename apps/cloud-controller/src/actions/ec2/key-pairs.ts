import { newId } from '@mallee/base'
import {
  invalidKeyFormat,
  invalidKeyPairDuplicate,
  invalidKeyPairNotFound,
  invalidParameterValue,
  resourceLimitExceeded,
} from '@mallee/ec2-api'
import { createKey, readPublicKey } from '../../identity/ssh-keys.ts'
import { requireQuota } from '../../store/quota-store.ts'
import { deleteTagsOf, putTags } from '../../store/tag-store.ts'
import type { KeyPairTable } from '../../store/tables.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { tagRows } from '../tag-specifications.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateKeyPair.html */
export const createKeyPair = defineEc2Action('CreateKeyPair', {
  honours: ['KeyName', 'KeyType', 'TagSpecifications'],
  only: { KeyFormat: ['pem'] },
  creates: ['key-pair'],
  async run(ctx, input) {
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
  honours: ['KeyName', 'PublicKeyMaterial', 'TagSpecifications'],
  creates: ['key-pair'],
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

const fields: FilterFields<KeyPairTable> = {
  'key-name': (row) => [row.name],
  'key-pair-id': (row) => [row.id],
  fingerprint: (row) => [row.fingerprint],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeKeyPairs.html */
export const describeKeyPairs = defineEc2Action('DescribeKeyPairs', {
  honours: ['KeyNames', 'KeyPairIds', 'IncludePublicKey', 'Filters'],
  filters: filterNames(fields, { tagged: true }),
  ids: ['KeyNames', 'KeyPairIds'],
  async run(ctx, input) {
    const names = input.KeyNames ?? []
    const ids = input.KeyPairIds ?? []
    return ctx.read(async (db) => {
      const rows = await db
        .selectFrom('key_pair')
        .selectAll()
        .$if(ctx.scope !== null, (query) => query.where('account_id', '=', ctx.scope!))
        .execute()
      const missing = names.filter((name) => !rows.some((row) => row.name === name))
      if (missing.length > 0) throw invalidKeyPairNotFound(missing)
      const missingIds = ids.filter((id) => !rows.some((row) => row.id === id))
      if (missingIds.length > 0) throw invalidKeyPairNotFound(missingIds)
      const { views } = await describeThings(ctx, db, input, {
        things: rows.filter(
          (row) =>
            (names.length === 0 || names.includes(row.name)) && (ids.length === 0 || ids.includes(row.id)),
        ),
        idOf: (row) => row.id,
        keyOf: (row) => `${row.name} ${row.id}`,
        fields,
        view: (row, tags) => ({
          KeyPairId: row.id,
          KeyName: row.name,
          KeyType: row.type,
          KeyFingerprint: row.fingerprint,
          CreateTime: new Date(row.created_at),
          Tags: tags,
          ...(input.IncludePublicKey ? { PublicKey: `${row.public_key} ${row.name}` } : {}),
        }),
      })
      return { KeyPairs: views }
    })
  },
})

/** Success where there is none, as AWS has it. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteKeyPair.html */
export const deleteKeyPair = defineEc2Action('DeleteKeyPair', {
  honours: ['KeyName', 'KeyPairId'],
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
    await requireQuota(tx.db, ctx.caller, 'key-pairs', present.length, (quota) =>
      resourceLimitExceeded(`You have reached your limit of ${quota} key pairs.`),
    )
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
