import type { BlockRecipe } from '../host/storage-daemon.ts'

/** An export of an NBD server. */
export interface Far {
  readonly nbdSocket: string
  readonly exportName: string
}

/**
 * An encrypted file of `file-driver.ts`, decrypted; `file` as the storage daemon sees it. With `far` it is that as long as
 * it says nothing itself, and keeps what is read of it.
 */
export function decrypted(file: string, passphrase: string, far: Far | null = null): BlockRecipe {
  const encrypt = { format: 'luks', 'key-secret': 'key' }
  const own = { driver: 'file', 'node-name': 'file', filename: file }
  const image = { driver: 'qcow2', file: 'file', encrypt }
  if (!far) return { nodes: [own, { ...image, 'node-name': 'volume' }], secret: passphrase }
  return {
    nodes: [
      own,
      {
        ...{ driver: 'nbd', 'node-name': 'far', export: far.exportName },
        server: { type: 'unix', path: far.nbdSocket },
        ...{ 'read-only': true, 'reconnect-delay': 1_000_000_000 },
      },
      { ...image, 'node-name': 'image', backing: 'far' },
      { driver: 'copy-on-read', 'node-name': 'volume', file: 'image' },
    ],
    secret: passphrase,
  }
}
