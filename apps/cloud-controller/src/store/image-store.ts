import { isWellFormedId } from '@mallee/base'
import {
  authFailureNotAuthorizedFor,
  invalidAmiIdMalformed,
  invalidAmiIdNotFound,
  invalidAmiIdUnavailable,
} from '@mallee/ec2-api'
import type { Reader, Tx } from './record.ts'
import type { ImageTable } from './tables.ts'

/**
 * Who sees which image. An account sees what it owns, what is public, and what its owner lets it launch; every action
 * asks here, so that an image is hidden from describes and launches alike, and a permission taken away is away for both.
 */

const kindIds = { machine: 'image', kernel: 'kernel', ramdisk: 'ramdisk' } as const

/** Eucalyptus' prefixes are understood on input (DECISIONS 8). */
export function canonicalImageId(id: string): string {
  return id.replace(/^e([mkr])i-/, 'a$1i-')
}

/** The id as the record has it. Throws InvalidAMIID.Malformed. */
export function imageIdOf(given: string, kind?: ImageTable['kind']): string {
  const id = canonicalImageId(given)
  const kinds = kind === undefined ? Object.values(kindIds) : [kindIds[kind]]
  if (!kinds.some((one) => isWellFormedId(one, id))) throw invalidAmiIdMalformed(given)
  return id
}

/**
 * The images that an account sees, deregistered ones left out; those of all accounts where `viewer` is null. What is still
 * imported, or could not be, is its task's affair and no image yet.
 */
export function visibleImages(db: Reader, viewer: string | null) {
  const present = db
    .selectFrom('image')
    .selectAll()
    .where('state', '!=', 'deregistered')
    .where((eb) =>
      eb.or([eb('origin', 'is', null), eb('origin', '!=', 'import'), eb('state', '=', 'available')]),
    )
  if (viewer === null) return present
  return present.where((eb) =>
    eb.or([
      eb('account_id', '=', viewer),
      eb('is_public', '=', 1),
      eb('id', 'in', eb.selectFrom('image_permission').select('image_id').where('account_id', '=', viewer)),
    ]),
  )
}

/** Throws InvalidAMIID.Malformed, and InvalidAMIID.NotFound for what does not exist and what is not to be seen alike. */
export async function requireVisibleImage(
  db: Reader,
  viewer: string,
  given: string,
  kind?: ImageTable['kind'],
): Promise<ImageTable> {
  const id = imageIdOf(given, kind)
  const image = await visibleImages(db, viewer).where('id', '=', id).executeTakeFirst()
  if (!image || (kind !== undefined && image.kind !== kind)) throw invalidAmiIdNotFound([given])
  return image
}

/** An image that can be launched now. Throws besides InvalidAMIID.Unavailable. */
export async function requireLaunchableImage(
  db: Reader,
  viewer: string,
  given: string,
  kind: ImageTable['kind'],
): Promise<ImageTable> {
  const image = await requireVisibleImage(db, viewer, given, kind)
  if (image.state !== 'available' || image.disabled === 1) throw invalidAmiIdUnavailable(given)
  return image
}

/** An image of the caller's own. One that it may only launch is named as not its own: it sees that one anyway. */
export async function requireOwnImage(db: Reader, accountId: string, given: string): Promise<ImageTable> {
  const image = await requireVisibleImage(db, accountId, given)
  if (image.account_id !== accountId) throw authFailureNotAuthorizedFor(`image:${image.id}`)
  return image
}

/** The accounts that may launch each of the images, besides its owner. */
export async function readImagePermissions(
  db: Reader,
  imageIds: readonly string[],
): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>()
  if (imageIds.length === 0) return found
  const rows = await db
    .selectFrom('image_permission')
    .selectAll()
    .where('image_id', 'in', imageIds)
    .orderBy('account_id')
    .execute()
  for (const row of rows) found.set(row.image_id, [...(found.get(row.image_id) ?? []), row.account_id])
  return found
}

export async function permitImage(tx: Tx, imageId: string, accountIds: readonly string[]): Promise<void> {
  if (accountIds.length === 0) return
  await tx.db
    .insertInto('image_permission')
    .values(accountIds.map((account_id) => ({ image_id: imageId, account_id })))
    .onConflict((conflict) => conflict.columns(['image_id', 'account_id']).doNothing())
    .execute()
}

export async function forbidImage(tx: Tx, imageId: string, accountIds: readonly string[]): Promise<void> {
  if (accountIds.length === 0) return
  await tx.db
    .deleteFrom('image_permission')
    .where('image_id', '=', imageId)
    .where('account_id', 'in', accountIds)
    .execute()
}

/** Only its owner may launch it from now on; what runs goes on. */
export async function makeImagePrivate(tx: Tx, imageId: string): Promise<void> {
  await tx.db.deleteFrom('image_permission').where('image_id', '=', imageId).execute()
  await tx.db.updateTable('image').set({ is_public: 0 }).where('id', '=', imageId).execute()
}

/** The image that an instance is shut down for, until its volumes' moment is fixed; undefined where there is none. */
export function imageThatHoldsDown(db: Reader, instanceId: string): Promise<ImageTable | undefined> {
  return db
    .selectFrom('image')
    .selectAll()
    .where('source_instance_id', '=', instanceId)
    .where('state', '=', 'pending')
    .where('create_phase', 'in', ['shutdown', 'freeze'])
    .executeTakeFirst()
}
