import { fork, spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { request } from 'node:http'
import { newId, systemRandom } from '@mallee/base'
import { editSqlite } from '@mallee/state-store'
import type { KeyAndCertificate } from '@mallee/pki'

const agents = Number(process.env['MALLEE_AGENTS'] ?? 10_000)
/** Somebody is always between two polls. */
const almostAll = 0.995
const ports = { agents: 28_774, admin: 28_776 }

/**
 * 10,000 nodes that hold their polls over mutual TLS: what each costs the cloud controller in memory, and how long after
 * a kill -9 all of them hold one again. The agents are the real client, in processes of their own.
 */
export async function heldPollsBench(): Promise<void> {
  const dir = mkdtempSync('/tmp/mallee-bench-')
  let cloud: ChildProcess | null = null
  const clients: ChildProcess[] = []
  try {
    cloud = await startCloud(dir)
    const empty = residentMegabytes(cloud.pid!)
    await stop(cloud)
    const ids = Array.from({ length: agents }, () => newId('agent', systemRandom))
    editSqlite(path.join(dir, 'record.db'), ids.map(insertAgent))
    cloud = await startCloud(dir)
    const authority = JSON.parse(
      readFileSync(path.join(dir, 'pki/authority.json'), 'utf8'),
    ) as KeyAndCertificate
    const first = performance.now()
    for (const half of [0, 1]) {
      const client = fork(path.join(import.meta.dirname, 'held-polls-client.ts'), [], { stdio: 'inherit' })
      client.send({ authority, ids: ids.filter((_id, index) => index % 2 === half), port: ports.agents })
      clients.push(client)
    }
    await untilHeld()
    const joinedSeconds = (performance.now() - first) / 1000
    const full = residentMegabytes(cloud.pid!)
    cloud.kill('SIGKILL')
    await new Promise((resolve) => cloud!.once('exit', resolve))
    const killed = performance.now()
    cloud = await startCloud(dir)
    const startedSeconds = (performance.now() - killed) / 1000
    await untilHeld()
    const seconds = (performance.now() - killed) / 1000
    process.stdout.write(`polls held at first after ${joinedSeconds.toFixed(1)} s, certificates included\n`)
    process.stdout.write(
      `memory: ${empty.toFixed(0)} MB without, ${full.toFixed(0)} MB with ${agents} polls: ${(((full - empty) * 1024) / agents).toFixed(1)} KB each\n`,
    )
    process.stdout.write(
      `after kill -9: up again in ${startedSeconds.toFixed(1)} s, every poll held after ${seconds.toFixed(1)} s\n`,
    )
  } finally {
    for (const client of clients) client.kill('SIGKILL')
    cloud?.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  }
}

function insertAgent(id: string): string {
  return `insert into agent (id, kind, name, availability_zone, state, revision, sent_revision, sequence, undeclared, joined_at)
    values ('${id}', 'node', '${id}', 'us-east-1a', 'enabled', 1, 1, 1, '[]', 0)`
}

async function startCloud(dir: string): Promise<ChildProcess> {
  const config = path.join(dir, 'config.json')
  const settings = {
    stateDir: dir,
    database: { engine: 'sqlite', file: path.join(dir, 'record.db') },
    door: { socket: path.join(dir, 'door.sock') },
    agents: { host: '127.0.0.1', port: ports.agents },
    admin: { host: '127.0.0.1', port: ports.admin },
    adminSocket: path.join(dir, 'admin.sock'),
    region: 'us-east-1',
    availabilityZones: ['us-east-1a'],
    publicPool: '198.18.0.0/24',
    endpoint: 'http://127.0.0.1:8773',
    pollSeconds: 60,
    logLevel: 'error',
  }
  writeFileSync(config, JSON.stringify(settings))
  const main = path.join(import.meta.dirname, '../apps/cloud-controller/src/main.ts')
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, config], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  await new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('exit', () => reject(new Error('the cloud controller ended')))
  })
  return child
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  await new Promise((resolve) => child.once('exit', resolve))
}

function residentMegabytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}

/** Asks the cloud's own figures, as an admin would. */
async function untilHeld(): Promise<void> {
  for (;;) {
    const text = await get('/metrics').catch(() => '')
    if (Number(/^mallee_held_polls(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? 0) >= agents * almostAll) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

function get(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port: ports.admin, path: url }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve(text))
    })
    call.on('error', reject)
    call.end()
  })
}
