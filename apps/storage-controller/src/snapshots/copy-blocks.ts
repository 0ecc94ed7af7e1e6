import { codecOf, blockCodec, type SnapshotBlocks, type SnapshotKey } from '@mallee/volume-snapshots'
import type { BlockReferences } from './block-references.ts'
import type { ObjectStore } from './object-store.ts'
import type { Uploaded } from './upload-snapshot.ts'

/**
 * Another snapshot's blocks under a prefix: as they are, or encrypted where a key is given and they are plain. What is
 * encrypted stays so. Null where a block is not in walrus.
 */
export async function copyBlocks(options: {
  readonly store: ObjectStore
  readonly references: BlockReferences
  readonly source: { readonly list: SnapshotBlocks; readonly bucket: string }
  readonly key: SnapshotKey | null
  readonly prefix: string
  readonly signal: AbortSignal
}): Promise<Uploaded | null> {
  const { store, references, source, key, prefix, signal } = options
  const { list } = source
  const [from, to] = [codecOf(list, key), blockCodec(key)]
  const isSame = from.keyId === to.keyId
  if (isSame && list.prefix === prefix) return { snapshot: list, storedBytes: 0 }
  const names = new Map<string, string>()
  let storedBytes = 0
  for (const name of new Set(list.blocks.values())) {
    signal.throwIfAborted()
    if (isSame) names.set(name, name)
    if (isSame && references.has(`${prefix}/${name}`)) continue
    const stored = await store.get(`${list.prefix}/${name}`, source.bucket)
    if (!stored) return null
    const block = isSame ? null : await from.decode(stored, name)
    const newName = block === null ? name : to.nameOf(block)
    names.set(name, newName)
    if (references.has(`${prefix}/${newName}`)) continue
    const bytes = block === null ? stored : await to.encode(block, newName)
    await store.put(`${prefix}/${newName}`, bytes)
    storedBytes += bytes.length
  }
  const blocks = new Map([...list.blocks].map(([number, name]) => [number, names.get(name)!]))
  const { volumeBytes } = list
  const snapshot = { volumeBytes, prefix, blocks, ...(to.keyId === null ? {} : { keyId: to.keyId }) }
  return { snapshot, storedBytes }
}
