import { createHash } from 'node:crypto'

/** The ETag of bytes that are in memory. */
export const md5Hex = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')
