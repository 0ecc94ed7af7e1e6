import {
  invalidParameterCombination,
  invalidParameterDependency,
  invalidParameterValue,
} from '@mallee/ec2-api'
import {
  defaultKeyAlias,
  ensureEbsEncryption,
  getEbsEncryption,
  keyArn,
  newKey,
} from '../../store/ebs-encryption-store.ts'
import type { Reader } from '../../store/record.ts'
import type { EbsEncryptionTable, SnapshotTable, VolumeTable } from '../../store/tables.ts'
import type { ActionContext, ActionTransaction } from '../define-action.ts'

/** What a request says of encryption. */
export interface EncryptionWish {
  readonly encrypted: boolean | undefined
  readonly kmsKeyId: string | undefined
}

/**
 * Whether a new volume, or a copy of a snapshot, is encrypted: if it is asked for, if what it is made of is, and of
 * accounts that encrypt by default always. There is one key for each account: no other can be named.
 * https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption.html
 */
export async function resolveEncryption(
  ctx: ActionContext,
  db: Reader,
  { encrypted, kmsKeyId }: EncryptionWish,
  source: SnapshotTable | null,
): Promise<boolean> {
  const isSourceEncrypted = source !== null && source.kms_key_id !== null
  if (encrypted === false && isSourceEncrypted)
    throw invalidParameterCombination(
      `Snapshot ${source.id} is encrypted: what is made of it cannot be unencrypted.`,
    )
  if (kmsKeyId !== undefined && encrypted !== true)
    throw invalidParameterDependency('The parameter [KmsKeyId] requires the parameter Encrypted to be set.')
  const own = await getEbsEncryption(db, ctx.caller.accountId)
  if (kmsKeyId !== undefined) requireDefaultKey(ctx, own, kmsKeyId)
  return encrypted === true || isSourceEncrypted || own?.by_default === 1
}

/** Throws for every key but the account's own: there is no KMS that could have another. */
export function requireDefaultKey(
  ctx: ActionContext,
  own: EbsEncryptionTable | undefined,
  kmsKeyId: string,
): void {
  const { region } = ctx.settings
  const names = [defaultKeyAlias, `arn:aws:kms:${region}:${ctx.caller.accountId}:${defaultKeyAlias}`]
  if (own) names.push(own.key_id, keyArn(region, own))
  if (names.includes(kmsKeyId)) return
  throw invalidParameterValue(
    `Value (${kmsKeyId.slice(0, 200)}) for parameter kmsKeyId is invalid. No such key: this cloud has no KMS, and each account the one key ${defaultKeyAlias}.`,
  )
}

type Columns = Pick<VolumeTable, 'kms_key_id' | 'sealed_key'>
const plain: Columns = { kms_key_id: null, sealed_key: null }

/**
 * The columns of a new volume. One from a snapshot has the key of the volume that was snapshotted, as AWS's has
 * (https://docs.aws.amazon.com/kms/latest/developerguide/services-ebs.html): its file may be a clone.
 */
export async function volumeKeyColumns(
  ctx: ActionContext,
  tx: ActionTransaction,
  volumeId: string,
  { isEncrypted, snapshot }: { isEncrypted: boolean; snapshot: SnapshotTable | null },
): Promise<Columns> {
  if (!isEncrypted) return plain
  const { keyring, settings } = ctx
  const own = await ensureEbsEncryption(tx, ctx.caller.accountId, ctx)
  const sealed = snapshot?.sealed_key ?? null
  const key = sealed === null ? newKey() : keyring.open(sealed, snapshot!.id)
  return { kms_key_id: keyArn(settings.region, own), sealed_key: keyring.seal(key, volumeId) }
}

/** The columns of a new snapshot of a volume. */
export function snapshotKeyColumns(ctx: ActionContext, snapshotId: string, volume: VolumeTable): Columns {
  if (volume.kms_key_id === null || volume.sealed_key === null) return plain
  const key = ctx.keyring.open(volume.sealed_key, volume.id)
  return { kms_key_id: volume.kms_key_id, sealed_key: ctx.keyring.seal(key, snapshotId) }
}

/** The columns of a copy of a snapshot: walrus has it, and no file. */
export async function copyKeyColumns(
  ctx: ActionContext,
  tx: ActionTransaction,
  isEncrypted: boolean,
): Promise<Columns> {
  if (!isEncrypted) return plain
  const own = await ensureEbsEncryption(tx, ctx.caller.accountId, ctx)
  return { kms_key_id: keyArn(ctx.settings.region, own), sealed_key: null }
}
