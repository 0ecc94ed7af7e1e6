import { expect } from 'vitest'
import type { StorageWorld } from './storage-world.ts'

/** What tests ask of a storage controller, each under an id that none had before. */
let made = 0

export const until = (condition: () => boolean | Promise<boolean>) =>
  expect.poll(condition, { timeout: 20_000, interval: 20 }).toBe(true)

export function newId(prefix: string): string {
  made += 1
  return `${prefix}-${String(made).padStart(17, '0')}`
}

export function newExport(volumeId: string) {
  made += 1
  return {
    ...{ attachmentId: `attachment-${made}`, volumeId, withdraw: false },
    ...{ iqn: `iqn.2026-11.internal.mallee:${volumeId}.${made}`, chapUser: `USER${made}` },
    ...{ initiatorIqn: 'iqn.2026-11.internal.mallee:node', chapSecret: `secretsecret${made}` },
  }
}

/** A ready export, and how an initiator reaches it. */
export async function exported(world: StorageWorld, volumeId: string) {
  const item = newExport(volumeId)
  await world.want('export', item.attachmentId, item)
  await until(() => world.facts('export', item.attachmentId)?.state === 'ready')
  return { ...item, port: world.port, dir: world.dir }
}

export async function withdrawn(world: StorageWorld, item: ReturnType<typeof newExport>): Promise<void> {
  await world.want('export', item.attachmentId, { ...item, withdraw: true })
  await until(() => world.facts('export', item.attachmentId)?.state === 'gone')
  await world.want('export', item.attachmentId, null)
}
