import { BundleRefused } from './bundle-refused.ts'
import { ByteSource } from './byte-source.ts'
import { nextFile, paddingOf } from './tar-read.ts'

const mostMembers = 64

export interface ArchiveMember {
  readonly name: string
  readonly sizeBytes: number
  /** To be taken before the next member, or not at all. */
  readonly bytes: AsyncGenerator<Buffer, void, void>
}

/**
 * The files of an archive from outside, such as an OVA, in their order. Links, folders, devices, paths, sparse files,
 * names that come twice and archives of more than `mostBytes` are refused: throws BundleRefused.
 */
export async function* tarMembers(
  chunks: AsyncIterable<Buffer>,
  mostBytes: number,
): AsyncGenerator<ArchiveMember, void, void> {
  const source = new ByteSource(chunks, { hash: null, mostBytes })
  const seen = new Set<string>()
  try {
    for (let header = await nextFile(source); header; header = await nextFile(source)) {
      const { sizeBytes } = header
      const name = header.name.replace(/^\.\//, '')
      if (header.pieces) throw new BundleRefused('The archive holds a sparse file.')
      if (seen.has(name)) throw new BundleRefused(`The archive holds ${name} twice.`)
      seen.add(name)
      if (seen.size > mostMembers)
        throw new BundleRefused(`The archive holds more than ${mostMembers} files.`)
      let left = sizeBytes
      async function* take() {
        while (left > 0) {
          const piece = await source.some(left)
          if (!piece) throw new BundleRefused('The archive is cut off.')
          left -= piece.length
          yield piece
        }
      }
      yield { name, sizeBytes, bytes: take() }
      await source.skip(left)
      await source.skip(paddingOf(sizeBytes))
    }
  } finally {
    await source.close()
  }
}
