import type { Extent } from './block-driver.ts'

const line = /^\s*\d+:\s*(\d+)\.\.\s*\d+:\s*(\d+)\.\.\s*\d+:\s*(\d+):(?:\s*(\d+):)?\s*(.*)$/

/**
 * What `filefrag -b4096 -s -v` says of a file: which of its blocks were written, and where they lie. Blocks that were
 * promised room and never written (`unwritten`) hold zeros and are left out.
 */
export function readExtents(text: string, blockBytes = 4096): Extent[] {
  const extents: Extent[] = []
  for (const found of text.split('\n').map((row) => line.exec(row))) {
    if (!found) continue
    const flags = found[5]!.split(',')
    if (flags.includes('unwritten')) continue
    const unknown = flags.includes('unknown_loc') || flags.includes('delalloc') || flags.includes('inline')
    extents.push({
      offset: Number(found[1]) * blockBytes,
      length: Number(found[3]) * blockBytes,
      place: unknown ? null : Number(found[2]) * blockBytes,
    })
  }
  return extents
}

/**
 * Which blocks of a file hold something, each with a text that is the same for two files exactly when the block's bytes
 * lie in the same places of the device in both; null where that cannot be told.
 */
export function blockPlaces(extents: readonly Extent[], blockBytes: number): Map<number, string | null> {
  const parts = new Map<number, (string | null)[]>()
  for (const { offset, length, place } of extents) {
    const last = Math.floor((offset + length - 1) / blockBytes)
    for (let block = Math.floor(offset / blockBytes); block <= last; block += 1) {
      const from = Math.max(offset, block * blockBytes)
      const to = Math.min(offset + length, (block + 1) * blockBytes)
      const text =
        place === null ? null : `${from - block * blockBytes}+${to - from}@${place + from - offset}`
      parts.set(block, [...(parts.get(block) ?? []), text])
    }
  }
  return new Map(
    [...parts].map(([block, texts]) => [block, texts.includes(null) ? null : merged(texts as string[])]),
  )
}

/** A file's extents may be cut differently though the bytes lie in the same places. */
function merged(texts: readonly string[]): string {
  const runs = texts.map((text) => {
    const [from, rest] = text.split('+') as [string, string]
    const [length, place] = rest.split('@') as [string, string]
    return { from: Number(from), length: Number(length), place: Number(place) }
  })
  const whole: typeof runs = []
  for (const run of runs) {
    const last = whole.at(-1)
    if (last && last.from + last.length === run.from && last.place + last.length === run.place)
      last.length += run.length
    else whole.push({ ...run })
  }
  return whole.map((run) => `${run.from}+${run.length}@${run.place}`).join(' ')
}
