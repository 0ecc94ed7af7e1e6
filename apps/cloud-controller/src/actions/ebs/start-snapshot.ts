import type { Ebs } from '@mallee/ebs-api'
import { ebsAccessDenied, ebsNotFound, ebsTooManyPending, ebsValidation } from '@mallee/ebs-api'
import { isWellFormedId } from '@mallee/base'
import { listAgents } from '../../store/agent-store.ts'
import { getEbsEncryption } from '../../store/ebs-encryption-store.ts'
import type { Reader } from '../../store/record.ts'
import { getSnapshot, visibleSnapshots } from '../../store/snapshot-store.ts'
import { putTags, readTags } from '../../store/tag-store.ts'
import type { SnapshotTable, TagTable } from '../../store/tables.ts'
import type { ActionContext } from '../define-action.ts'
import { copyKeyColumns, requireDefaultKey } from '../ec2/encryption.ts'
import { chooseStorage } from '../ec2/new-volume.ts'
import { insertSnapshot } from '../ec2/snapshots.ts'
import { checkTag, tagRows } from '../tag-specifications.ts'

/** Of what is made of no volume here; AWS's own. */
const noVolume = 'vol-ffffffff'
const blockSize = 524_288
/** GiB. */
const largestVolume = 65_536
/** Of an account; AWS's own. https://docs.aws.amazon.com/general/latest/gr/ebs-service.html */
const mostPending = 100
const defaultTimeoutMinutes = 60
/** So long it is waited for walrus to hear of it: who is answered may write. */
const heardMs = 5_000

/** https://docs.aws.amazon.com/ebs/latest/APIReference/API_StartSnapshot.html */
export async function startSnapshot(
  ctx: ActionContext,
  input: Ebs.StartSnapshotRequest,
): Promise<Ebs.StartSnapshotResponse> {
  refuseCombinations(input)
  if (input.VolumeSize > largestVolume)
    throw ebsValidation('INVALID_VOLUME_SIZE', `VolumeSize is at most ${largestVolume} GiB.`)
  checkTags(input.Tags ?? [])
  const id = await ctx.transaction(async (tx) => {
    await claimPending(ctx, tx.db)
    const parent = await parentOf(ctx, tx.db, input)
    const encrypts = await isEncrypted(ctx, tx.db, input, parent)
    const columns = await copyKeyColumns(ctx, tx, encrypts)
    const of = {
      volume_id: noVolume,
      storage_id: await storageFor(tx.db, parent, encrypts),
      size_gib: input.VolumeSize,
      description: input.Description ?? '',
      source_index: null,
      lineage: parent && (parent.lineage ?? parent.volume_id),
      parent_snapshot_id: parent?.id ?? null,
      parent_index: parent?.index_object ?? null,
      staging: 'open' as const,
      timeout_minutes: input.Timeout ?? defaultTimeoutMinutes,
      taken: 1 as const,
    }
    const { id } = await insertSnapshot(ctx, tx, of, () => columns)
    // The first of its lineage.
    if (!parent) await tx.db.updateTable('snapshot').set({ lineage: id }).where('id', '=', id).execute()
    await putTags(tx, tagsOf(ctx, input, id))
    return id
  })
  await ctx.waitUntil((db) => isHeard(db, id), heardMs)
  return ctx.read((db) => viewOf(ctx, db, id))
}

/**
 * As for what EC2 makes, but that what is written on top of a parent is as that is.
 * https://docs.aws.amazon.com/ebs/latest/userguide/ebsapi-using-encryption.html
 */
async function isEncrypted(
  ctx: ActionContext,
  db: Reader,
  { Encrypted: encrypted, KmsKeyArn: kmsKeyId }: Ebs.StartSnapshotRequest,
  parent: SnapshotTable | null,
): Promise<boolean> {
  const own = await getEbsEncryption(db, ctx.caller.accountId)
  const byDefault = own?.by_default === 1
  if (parent) {
    const isParentEncrypted = parent.kms_key_id !== null
    if (byDefault && !isParentEncrypted)
      throw ebsValidation(
        'INVALID_PARAMETER_VALUE',
        'The parent snapshot is not encrypted, and the account encrypts by default.',
      )
    if (isParentEncrypted && parent.account_id !== ctx.caller.accountId)
      throw ebsAccessDenied(`The key of the snapshot '${parent.id}' is another account's.`)
    return isParentEncrypted
  }
  if (kmsKeyId !== undefined && encrypted !== true)
    throw ebsValidation('INVALID_PARAMETER_VALUE', 'KmsKeyArn requires Encrypted to be true.')
  if (encrypted === false && byDefault)
    throw ebsValidation('INVALID_PARAMETER_VALUE', 'The account encrypts by default.')
  try {
    if (kmsKeyId !== undefined) requireDefaultKey(ctx, own, kmsKeyId)
  } catch (error) {
    throw ebsValidation('INVALID_CUSTOMER_KEY', (error as Error).message)
  }
  return encrypted === true || byDefault
}

function refuseCombinations(input: Ebs.StartSnapshotRequest): void {
  if (
    (input.Encrypted !== undefined || input.KmsKeyArn !== undefined) &&
    input.ParentSnapshotId !== undefined
  )
    throw ebsValidation(
      'INVALID_PARAMETER_VALUE',
      'Encrypted and ParentSnapshotId cannot be specified in the same request.',
    )
}

/** Throws in the words of EC2's tags, with the reason that is theirs here. */
function checkTags(tags: readonly Ebs.Tag[]): void {
  const keys = new Set<string>()
  for (const { Key: key = '', Value: value = '' } of tags) {
    try {
      checkTag(key, value)
    } catch (error) {
      throw ebsValidation('INVALID_TAG', (error as Error).message)
    }
    if (keys.has(key)) throw ebsValidation('INVALID_TAG', `The tag key ${key} is given twice.`)
    keys.add(key)
  }
}

function tagsOf(ctx: ActionContext, { Tags: tags }: Ebs.StartSnapshotRequest, id: string): TagTable[] {
  return tagRows(ctx, [{ ResourceType: 'snapshot', Tags: tags ?? [] }], 'snapshot', [id])
}

async function claimPending(ctx: ActionContext, db: Reader): Promise<void> {
  const { count } = await db
    .selectFrom('snapshot')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('account_id', '=', ctx.caller.accountId)
    .where('state', '=', 'pending')
    .where('staging', 'is not', null)
    .executeTakeFirstOrThrow()
  if (Number(count) >= mostPending)
    throw ebsTooManyPending(`You have reached your limit of ${mostPending} snapshots that are being written.`)
}

async function parentOf(
  ctx: ActionContext,
  db: Reader,
  { ParentSnapshotId: id, VolumeSize: sizeGiB }: Ebs.StartSnapshotRequest,
): Promise<SnapshotTable | null> {
  if (id === undefined) return null
  if (!isWellFormedId('snapshot', id))
    throw ebsValidation('INVALID_SNAPSHOT_ID', `The snapshot ID '${id}' is not valid.`)
  const parent = await visibleSnapshots(db, ctx.scope).where('id', '=', id).executeTakeFirst()
  if (!parent) throw ebsNotFound(id)
  await refusePublic(ctx, db, parent)
  if (parent.state !== 'completed')
    throw ebsValidation('INVALID_SNAPSHOT_ID', `The snapshot '${id}' is ${parent.state}.`)
  if (sizeGiB < parent.size_gib)
    throw ebsValidation('INVALID_VOLUME_SIZE', `VolumeSize is less than the parent's ${parent.size_gib} GiB.`)
  return parent
}

/** What is everybody's is nobody's to read block by block, as AWS has it; so nothing is written on top of it. */
async function refusePublic(ctx: ActionContext, db: Reader, snapshot: SnapshotTable): Promise<void> {
  if (snapshot.account_id === ctx.caller.accountId) return
  const shared = await db
    .selectFrom('snapshot_permission')
    .select('snapshot_id')
    .where('snapshot_id', '=', snapshot.id)
    .where('account_id', '=', ctx.caller.accountId)
    .executeTakeFirst()
  if (!shared) throw ebsAccessDenied(`The snapshot '${snapshot.id}' is public, and is not shared with you.`)
}

/** Where its parent's blocks are counted, so that they need not be copied. */
async function storageFor(db: Reader, parent: SnapshotTable | null, encrypts: boolean): Promise<string> {
  const own = parent && (await listAgents(db, 'storage')).find((agent) => agent.id === parent.storage_id)
  return own?.state === 'enabled' ? own.id : chooseStorage(db, null, encrypts)
}

/** Also where there is no walrus that could hear of it. */
async function isHeard(db: Reader, id: string): Promise<boolean> {
  const snapshot = await getSnapshot(db, id)
  if (snapshot?.staging !== 'open' || snapshot.staging_observed !== null) return true
  const walruses = (await listAgents(db, 'walrus')).filter((agent) => agent.state === 'enabled')
  return walruses.every((agent) => agent.silent_since !== null)
}

async function viewOf(ctx: ActionContext, db: Reader, id: string): Promise<Ebs.StartSnapshotResponse> {
  const snapshot = await getSnapshot(db, id)
  if (!snapshot || snapshot.state === 'deleted') throw ebsNotFound(id) // a repeated request, and deleted since
  const tags = (await readTags(db, ctx.caller.accountId, [id])).get(id) ?? []
  return {
    SnapshotId: snapshot.id,
    OwnerId: snapshot.account_id,
    Status: snapshot.state,
    StartTime: new Date(snapshot.started_at),
    VolumeSize: snapshot.size_gib,
    BlockSize: blockSize,
    ...(snapshot.description === '' ? {} : { Description: snapshot.description }),
    ...(tags.length === 0 ? {} : { Tags: tags }),
    ...(snapshot.kms_key_id === null ? {} : { KmsKeyArn: snapshot.kms_key_id }),
    ...(snapshot.parent_snapshot_id === null ? {} : { ParentSnapshotId: snapshot.parent_snapshot_id }),
  }
}
