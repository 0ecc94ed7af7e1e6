import type { Clock, Log } from '@mallee/base'
import type { ObjectSource } from '../objects/open-object.ts'
import type { BlockTokens } from './block-tokens.ts'
import type { Asking, Readable } from './snapshot-access.ts'
import type { SnapshotObjects } from './snapshot-objects.ts'

/** What an operation works with. */
export interface EbsContext extends Asking {
  readonly source: ObjectSource
  readonly objects: SnapshotObjects
  readonly tokens: BlockTokens
  readonly clock: Clock
  readonly log: Log
  /** The whole body; the client is told to send it only now. Throws what is wrong with it, before it is read where that shows. */
  body(): Promise<Buffer>
}

/** What a block's token is bound to, beside the block's number. */
export const blockAbout = ({ snapshotId, index }: Readable): readonly string[] => [
  'block',
  snapshotId,
  index.sha256,
]
