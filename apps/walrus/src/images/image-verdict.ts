/** What a header says an object is; a refusal is a sentence for `stateReason`. */
export type ImageVerdict =
  | {
      readonly format: 'raw' | 'qcow2' | 'kernel' | 'ramdisk'
      readonly virtualSizeBytes: number
      /** Of a machine image. A qcow2 is taken for a disk: what is in it is not looked at. */
      readonly layout?: 'disk' | 'partition'
    }
  | { readonly refused: string }

/** The parts of an object that its format can be told from. */
export interface ImageBytes {
  readonly sizeBytes: number
  /** The first 128 KiB, or all where there is less. */
  readonly head: Buffer
  /** The last 512 bytes, or all where there is less. */
  readonly tail: Buffer
}

export const headBytes = 128 * 1024
export const tailBytes = 512

export const refuse = (sentence: string): ImageVerdict => ({ refused: sentence })
