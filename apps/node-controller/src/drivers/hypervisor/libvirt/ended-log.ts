import { open } from 'node:fs/promises'
import path from 'node:path'
import type { EndReason } from '../driver.ts'

const tailBytes = 16 * 1024

/**
 * How a domain ended, by the log that libvirt keeps of it: the last `shutting down, reason=…` after the last start.
 * The evidence outlives our own restart, when the event was missed. Null where the log says nothing.
 */
export async function readEndReason(logDir: string, name: string): Promise<EndReason | null> {
  const text = await readTail(path.join(logDir, `${name}.log`))
  return text === null ? null : parseEndReason(text)
}

export function parseEndReason(text: string): EndReason | null {
  const started = text.lastIndexOf(': starting up libvirt version')
  const match = [...text.slice(Math.max(started, 0)).matchAll(/: shutting down, reason=([a-z]+)/g)].at(-1)
  switch (match?.[1]) {
    case undefined:
      return null
    case 'shutdown':
      return 'shutdown'
    case 'destroyed':
      return 'destroyed'
    case 'crashed':
      return 'crashed'
    default:
      return 'failed'
  }
}

async function readTail(file: string): Promise<string | null> {
  const handle = await open(file, 'r').catch(() => null)
  if (!handle) return null
  try {
    const { size } = await handle.stat()
    const start = Math.max(0, size - tailBytes)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start)
    return buffer.subarray(0, bytesRead).toString('utf8')
  } finally {
    await handle.close()
  }
}
