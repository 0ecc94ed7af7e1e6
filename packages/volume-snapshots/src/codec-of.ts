import { MalleeError } from '@mallee/base'
import { blockCodec, type BlockCodec, type SnapshotKey } from './block-codec.ts'
import type { SnapshotBlocks } from './snapshot-index.ts'

/** For the blocks of a list. Throws MalleeError where they are encrypted and the key is not the one. */
export function codecOf({ keyId }: SnapshotBlocks, key: SnapshotKey | null): BlockCodec {
  if (keyId === undefined) return blockCodec(null)
  if (key?.id === keyId) return blockCodec(key)
  throw new MalleeError({
    code: 'SnapshotKeyLacking',
    publicMessage: 'The snapshot is encrypted, and its key is not here.',
  })
}
