import type { BlockRecipe } from '../host/storage-daemon.ts'

/** An encrypted file of `file-driver.ts`, decrypted; `file` as the storage daemon sees it. */
export function decrypted(file: string, passphrase: string): BlockRecipe {
  return {
    nodes: [
      { driver: 'file', 'node-name': 'file', filename: file },
      {
        ...{ driver: 'qcow2', 'node-name': 'volume', file: 'file' },
        encrypt: { format: 'luks', 'key-secret': 'key' },
      },
    ],
    secret: passphrase,
  }
}
