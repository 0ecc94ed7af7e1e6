import { existsSync } from 'node:fs'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { silentLog } from '@mallee/base'
import type { HypervisorDriver } from './drivers/hypervisor/driver.ts'
import type { NetworkDriver } from './drivers/network/driver.ts'
import { giveUp, wasForgotten } from './give-up.ts'

test('a disk that has no room for the marker keeps no guest from being ended', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'mallee-give-up-'))
  try {
    await symlink('/dev/full', path.join(dir, 'forgotten.new'))
    const running = new Set(['i-0123456789abcdef0'])
    let markedBefore: boolean | null = null
    const hypervisor = {
      inventory: async () => ({ domains: [...running].map((name) => ({ name, state: 'running' })) }),
      destroy: async (name: string) => {
        markedBefore ??= existsSync(path.join(dir, 'forgotten'))
        running.delete(name)
      },
    }
    const applied: unknown[] = []
    await giveUp({
      dir,
      hypervisor: hypervisor as unknown as HypervisorDriver,
      network: { apply: async (items: unknown) => void applied.push(items) } as unknown as NetworkDriver,
      log: silentLog,
      signal: new AbortController().signal,
    })
    expect(markedBefore).toBe(false)
    expect(running.size).toBe(0)
    expect(applied[0]).toEqual([])
    expect(await wasForgotten(dir)).toBe(true)
  } finally {
    await rm(dir, { recursive: true })
  }
})
