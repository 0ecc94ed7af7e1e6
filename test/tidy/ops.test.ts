import { mkdtemp, rm } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { silentLog } from '@mallee/base'
import { buildCloudController } from '@mallee/cloud-controller'
import { frontDoorFigures } from '@mallee/front-door'
import { nodeFigures, registerNodeGauges } from '@mallee/node-controller'
import { Metrics } from '@mallee/service-kit'
import { registerWalrusGauges, walrusFigures } from '@mallee/walrus'
import { root } from './source-tree.ts'

/** Every series that a daemon may expose, by the names of its registry. */
async function exposed(): Promise<Set<string>> {
  const registries = [await cloudMetrics()]
  const others = new Metrics().ofProcess()
  nodeFigures(others)
  registerNodeGauges(others, {
    hypervisor: { list: async () => [] } as never,
    network: { bytes: async () => [] },
    imagesDir: '/nowhere',
  })
  walrusFigures(others)
  const blobs = { space: async () => ({ totalBytes: 1, freeBytes: 1 }) }
  const sums = { objects: 0, bytes: 0, versions: 0, version_bytes: 0, markers: 0, uploads: 0, part_bytes: 0 }
  const index = { read: async () => ({ count: 0, ...sums }) }
  registerWalrusGauges(others, { index, blobs } as never)
  frontDoorFigures(others)
  registries.push(await others.text())
  const names = registries.flatMap((text) => [...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)])
  return new Set(
    names.flatMap(([, name, type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name!],
    ),
  )
}

async function cloudMetrics(): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'mallee-ops-'))
  const cloud = await buildCloudController(
    {
      stateDir: dir,
      database: { engine: 'sqlite', file: path.join(dir, 'record.db') },
      door: { socket: 'none' },
      agents: { host: '127.0.0.1', port: 0 },
      admin: { host: '127.0.0.1', port: 0 },
      adminSocket: 'none',
      region: 'us-east-1',
      availabilityZones: ['us-east-1a'],
      publicPool: '198.18.0.0/26',
      placementPolicy: 'round-robin',
      endpoint: 'http://127.0.0.1:8773',
      pollSeconds: 3,
      terminatedVisibleMs: 3_600_000,
      metadataTokensRequired: true,
      logLevel: 'error',
    },
    { log: silentLog, agentPeer: () => null },
  )
  const answer = await cloud.healthDoor.inject('/metrics')
  await cloud.close()
  await rm(dir, { recursive: true })
  expect(answer.statusCode, answer.body).toBe(200)
  return answer.body
}

const namesIn = (file: string) => [
  ...new Set(readFileSync(path.join(root, file), 'utf8').match(/\bmallee_[a-z0-9_]+/g)),
]

test('dashboard and alerts name only what daemons expose', async () => {
  const known = await exposed()
  for (const file of ['ops/grafana/mallee.json', 'ops/prometheus/alerts.yml']) {
    const named = namesIn(file)
    expect(named.length).toBeGreaterThan(8)
    expect(
      named.filter((name) => !known.has(name)),
      file,
    ).toEqual([])
  }
})

test('every figure has a help text, our prefix and a unit or a count for its end', async () => {
  const text = await cloudMetrics()
  const names = [...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`)
  expect(names.filter((name) => !name.startsWith('mallee_'))).toEqual([])
  expect(names.filter((name) => name.endsWith(' counter') && !name.includes('_total '))).toEqual([])
  expect(names).toContain('mallee_api_request_duration_seconds histogram')
})
