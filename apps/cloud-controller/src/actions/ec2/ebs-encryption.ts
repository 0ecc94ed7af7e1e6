import { defaultKeyAlias, ensureEbsEncryption, getEbsEncryption } from '../../store/ebs-encryption-store.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { requireDefaultKey } from './encryption.ts'

/** From now on every new volume and copy of a snapshot is encrypted. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableEbsEncryptionByDefault.html */
export const enableEbsEncryptionByDefault = defineEc2Action('EnableEbsEncryptionByDefault', {
  honours: [],
  run: (ctx) => setByDefault(ctx, true),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisableEbsEncryptionByDefault.html */
export const disableEbsEncryptionByDefault = defineEc2Action('DisableEbsEncryptionByDefault', {
  honours: [],
  run: (ctx) => setByDefault(ctx, false),
})

function setByDefault(ctx: ActionContext, value: boolean): Promise<{ EbsEncryptionByDefault: boolean }> {
  const { accountId } = ctx.caller
  return ctx.transaction(async (tx) => {
    await ensureEbsEncryption(tx, accountId, ctx)
    await tx.db
      .updateTable('ebs_encryption')
      .set({ by_default: value ? 1 : 0 })
      .where('account_id', '=', accountId)
      .execute()
    return { EbsEncryptionByDefault: value }
  })
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetEbsEncryptionByDefault.html */
export const getEbsEncryptionByDefault = defineEc2Action('GetEbsEncryptionByDefault', {
  honours: [],
  run: (ctx) =>
    ctx.read(async (db) => {
      const own = await getEbsEncryption(db, ctx.caller.accountId)
      return { EbsEncryptionByDefault: own?.by_default === 1, SseType: 'sse-ebs' as const }
    }),
})

/** The one key that there is. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetEbsDefaultKmsKeyId.html */
export const getEbsDefaultKmsKeyId = defineEc2Action('GetEbsDefaultKmsKeyId', {
  honours: [],
  run: () => Promise.resolve({ KmsKeyId: defaultKeyAlias }),
})

/** Takes what is so anyway, and refuses every other key. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyEbsDefaultKmsKeyId.html */
export const modifyEbsDefaultKmsKeyId = defineEc2Action('ModifyEbsDefaultKmsKeyId', {
  honours: ['KmsKeyId'],
  run: (ctx, input) =>
    ctx.transaction(async (tx) => {
      requireDefaultKey(ctx, await getEbsEncryption(tx.db, ctx.caller.accountId), input.KmsKeyId)
      return { KmsKeyId: defaultKeyAlias }
    }),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResetEbsDefaultKmsKeyId.html */
export const resetEbsDefaultKmsKeyId = defineEc2Action('ResetEbsDefaultKmsKeyId', {
  honours: [],
  run: (ctx) => ctx.transaction(() => Promise.resolve({ KmsKeyId: defaultKeyAlias })),
})
