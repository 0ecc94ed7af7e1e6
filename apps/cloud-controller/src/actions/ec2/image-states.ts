import { amiInState, invalidParameterValue } from '@mallee/ec2-api'
import { dayMs, minuteMs } from '@mallee/base'
import { makeImagePrivate, requireOwnImage } from '../../store/image-store.ts'
import type { ImageTable } from '../../store/tables.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'

/** What an owner says of an image without changing it: that it is kept back, or that there are newer ones. */

const privateYears = 10
const publicYears = 2

async function changeOwn(
  ctx: ActionContext,
  imageId: string,
  change: (tx: ActionTransaction, image: ImageTable) => Promise<Partial<ImageTable>>,
): Promise<{ Return: boolean }> {
  return ctx.transaction(async (tx) => {
    const image = await requireOwnImage(tx.db, ctx.caller.accountId, imageId)
    await tx.db
      .updateTable('image')
      .set(await change(tx, image))
      .where('id', '=', image.id)
      .execute()
    tx.touch(image.id)
    return { Return: true }
  })
}

/** From then on only its owner finds it without asking. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableImageDeprecation.html */
export const enableImageDeprecation = defineEc2Action('EnableImageDeprecation', {
  honours: ['ImageId', 'DeprecateAt'],
  run: (ctx, input) =>
    changeOwn(ctx, input.ImageId, async (_tx, image) => {
      const atMs = Math.round(input.DeprecateAt.getTime() / minuteMs) * minuteMs
      if (atMs < ctx.nowMs - minuteMs)
        throw invalidParameterValue('The specified deprecation date is in the past.')
      const latestMs =
        image.is_public === 1
          ? image.created_at + publicYears * 365 * dayMs
          : ctx.nowMs + privateYears * 366 * dayMs
      if (atMs > latestMs) {
        throw invalidParameterValue(
          `The specified deprecation date is too late. It must be at most ${new Date(latestMs).toISOString()}.`,
        )
      }
      return { deprecated_at: atMs }
    }),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisableImageDeprecation.html */
export const disableImageDeprecation = defineEc2Action('DisableImageDeprecation', {
  honours: ['ImageId'],
  run: (ctx, input) => changeOwn(ctx, input.ImageId, async () => ({ deprecated_at: null })),
})

/** No launches, and nobody else sees it any more; what runs goes on. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisableImage.html */
export const disableImage = defineEc2Action('DisableImage', {
  honours: ['ImageId'],
  run: (ctx, input) =>
    changeOwn(ctx, input.ImageId, async (tx, image) => {
      if (image.state !== 'available') throw amiInState(image.id, image.state)
      await makeImagePrivate(tx, image.id)
      return { disabled: 1 }
    }),
})

/** Launches again; permissions are to be given again. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableImage.html */
export const enableImage = defineEc2Action('EnableImage', {
  honours: ['ImageId'],
  run: (ctx, input) =>
    changeOwn(ctx, input.ImageId, async (_tx, image) => {
      if (image.state !== 'available') throw amiInState(image.id, image.state)
      return { disabled: 0 }
    }),
})
