import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '@mallee/base'
import { Ledger } from '@mallee/agent-kit'
import { openBackend } from './open-backend.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'mallee-backend-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const openLedger = () => Ledger.open({ dir, privateKey: 'key', log: silentLog })
const configOf = (more: object) => ({ driver: 'simulated', ...more }) as never

test('a backend is not exchanged while there are volumes of another', async () => {
  const ledger = await openLedger()
  const deps = { ledger, runDir: dir, log: silentLog }
  await openBackend(configOf({}), deps)
  await ledger.accept({
    revision: 1,
    pollSeconds: 1,
    index: [{ kind: 'volume', id: 'vol-1', generation: 1, digest: 'd' }],
    bodies: [{ kind: 'volume', id: 'vol-1', generation: 1, digest: 'd', body: {} }],
  })
  await openBackend(configOf({}), deps)
  const ceph = { conf: '/c', user: 'u', pool: 'p' }
  const again = { ...deps, ledger: await openLedger() }
  await expect(openBackend(configOf({ driver: 'ceph-rbd', ceph }), again)).rejects.toThrow(
    'Volumes of the backend simulated are here',
  )
})
