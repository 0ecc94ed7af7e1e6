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
    const network = {
      apply: async (items: unknown) => void applied.push(items),
      collectFlows: async () => void applied.push('flows'),
    }
    await giveUp({
      dir,
      hypervisor: hypervisor as unknown as HypervisorDriver,
      network: network as unknown as NetworkDriver,
      log: silentLog,
      signal: new AbortController().signal,
    })
    expect(markedBefore).toBe(false)
    expect(running.size).toBe(0)
    // What counted flows goes when nothing is to be counted any more.
    expect(applied.slice(0, 2)).toEqual([[], 'flows'])
    expect(await wasForgotten(dir)).toBe(true)
  } finally {
    await rm(dir, { recursive: true })
  }
})
