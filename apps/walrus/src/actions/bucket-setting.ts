import { sameBucket } from '../index/bucket-rows.ts'
import { changeSettings, type BucketSettings } from '../index/bucket-settings.ts'
import type { BucketContext } from './s3-context.ts'

type Change = { [Name in keyof BucketSettings]?: BucketSettings[Name] | undefined }

/** Changes settings of the request's bucket; `change` may look at what they are now, and refuse. */
export async function setBucket(
  context: BucketContext,
  change: Change | ((now: BucketSettings) => Change),
): Promise<void> {
  await context.index.transaction('action', async (tx) => {
    const now = await sameBucket(tx.db, context.bucket)
    await changeSettings(tx, now, typeof change === 'function' ? change(now.set) : change)
  })
}
