import { GiB, must } from '@mallee/base'
import type { ItemBody } from '@mallee/agent-contract'
import type { Reconciler } from '@mallee/workflow'
import { listAgents } from '../store/agent-store.ts'
import { dropDesired, putDesired } from '../store/desired-store.ts'
import { causeOf } from './domain-item.ts'
import type { Reader } from '../store/record.ts'
import type { ImageTable } from '../store/tables.ts'
import type { CloudSettings } from '../settings.ts'
import type { ReconcilerContext } from './reconciler-context.ts'
import { reconcileSnapshotImage } from './snapshot-images.ts'

/**
 * Tells walrus which objects are images: it inspects the new ones, makes those that come of bundles, and lets nodes
 * fetch them. A deregistered image stays fetchable while an instance of it runs; then what walrus made is removed.
 */
export function imagesReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'images',
    everyMs: 60_000,
    list: () =>
      ctx.record.read(async (db) =>
        (await db.selectFrom('image').select('id').execute()).map((row) => row.id),
      ),
    reconcile: (id) =>
      ctx.record.transaction('reconcile', async (tx) => {
        const image = await tx.db.selectFrom('image').selectAll().where('id', '=', id).executeTakeFirst()
        if (!image) return { settled: true }
        if (image.root_device_type === 'ebs') {
          await reconcileSnapshotImage(ctx, tx, image)
          return { settled: true }
        }
        const users = await tx.db
          .selectFrom('instance')
          .select('id')
          .where((eb) =>
            eb.or([eb('image_id', '=', id), eb('kernel_id', '=', id), eb('ramdisk_id', '=', id)]),
          )
          .where('state', '!=', 'terminated')
          .executeTakeFirst()
        const wanted =
          image.state === 'pending' ||
          image.state === 'available' ||
          users !== undefined ||
          (image.has_disk === 1 && (await isBeingCopied(tx.db, id)))
        for (const agent of await listAgents(tx.db, 'walrus')) {
          if (agent.state === 'forgotten') continue
          if (!wanted && image.has_disk === 0) await dropDesired(tx, ctx.wakes, agent.id, 'image-object', id)
          else {
            const body = {
              imageId: id,
              accountId: image.account_id,
              bucket: image.bucket,
              key: image.object_key,
              kind: image.kind,
              ...(await copyOf(tx.db, image)),
              ...(await madeFrom(tx.db, image, ctx.settings)),
              ...(wanted ? {} : { remove: true }),
              ...causeOf(image),
            }
            await putDesired(tx, ctx.wakes, { agentId: agent.id, kind: 'image-object', id, body })
          }
        }
        return { settled: true }
      }),
  }
}

async function isBeingCopied(db: Reader, id: string): Promise<boolean> {
  const copy = db
    .selectFrom('image')
    .select('id')
    .where('source_image_id', '=', id)
    .where('state', '=', 'pending')
  return (await copy.executeTakeFirst()) !== undefined
}

/** What walrus makes the object of, where it does. */
async function madeFrom(
  db: Reader,
  image: ImageTable,
  settings: CloudSettings,
): Promise<Pick<ItemBody<'image-object'>, 'madeFrom'>> {
  const { origin, origin_bucket: bucket, origin_key: key } = image
  if (origin === null || bucket === null || key === null) return {}
  const owner = await db
    .selectFrom('account')
    .select(['canonical_id', 'name'])
    .where('id', '=', image.account_id)
    .executeTakeFirstOrThrow()
  return {
    madeFrom: {
      how: origin,
      bucket,
      key,
      canonicalId: owner.canonical_id,
      accountName: owner.name,
      format: image.origin_format,
      mostBytes: settings.maxImageGiB * GiB,
    },
  }
}

/** Where the bytes of a copy come from. Images are never forgotten: that of a deregistered source is still known. */
async function copyOf(db: Reader, image: ImageTable): Promise<Pick<ItemBody<'image-object'>, 'copyOf'>> {
  if (image.source_image_id === null) return {}
  const source = await db
    .selectFrom('image')
    .innerJoin('account', 'account.id', 'image.account_id')
    .select(['image.bucket', 'image.object_key', 'image.sha256', 'account.canonical_id', 'account.name'])
    .where('image.id', '=', image.source_image_id)
    .executeTakeFirstOrThrow()
  return {
    copyOf: {
      bucket: source.bucket,
      key: source.object_key,
      sha256: must(source.sha256, `the digest of ${image.source_image_id}`),
      canonicalId: source.canonical_id,
      accountName: source.name,
    },
  }
}
