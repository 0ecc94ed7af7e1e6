import type { ImageObjectFacts } from '@mallee/agent-contract'
import type { ImageBytes } from './image-verdict.ts'
import { judgeImage } from './judge-image.ts'

const nothing = { message: null, format: null, sizeBytes: null, virtualSizeBytes: null, sha256: null }

export const failed = (message: string): ImageObjectFacts => ({ ...nothing, state: 'failed', message })

export const gone: ImageObjectFacts = { ...nothing, state: 'gone' }

/** `progress` in percent. */
export const making = (progress: number): ImageObjectFacts => ({ ...nothing, state: 'making', progress })

/** What bytes that were read whole are: an image, or why they are none. */
export function factsOf(
  kind: 'machine' | 'kernel' | 'ramdisk',
  { sha256, image }: { readonly sha256: string; readonly image: ImageBytes },
): ImageObjectFacts {
  const verdict = judgeImage(kind, image)
  if ('refused' in verdict) return failed(verdict.refused)
  return {
    state: 'available',
    message: null,
    format: verdict.format,
    sizeBytes: image.sizeBytes,
    virtualSizeBytes: verdict.virtualSizeBytes,
    sha256,
    ...(verdict.layout ? { layout: verdict.layout } : {}),
  }
}
