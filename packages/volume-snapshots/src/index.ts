export { blockCodec, type BlockCodec, type SnapshotKey } from './block-codec.ts'
export { blockBytes, decodeBlock, digestOfBlock, encodeBlock } from './snapshot-block.ts'
export { decodeIndex, encodeIndex, type SnapshotBlocks } from './snapshot-index.ts'
export { snapshotBucket } from './snapshot-bucket.ts'
export {
  linearChecksums,
  parseStagedKey,
  stagedKey,
  stagedNumberPrefix,
  stagingPrefix,
  zeroDigest,
  type StagedBlock,
} from './staged-blocks.ts'
export { codecOf } from './codec-of.ts'
