import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { parseStringPromise } from 'xml2js'
import type { CrashCloud } from './crash-cloud.ts'
import { until } from './until.ts'

const settleMs = 30_000

/** Waits until everything is as it should be between two workflows; what is still wrong at the end is in the error. */
export async function checkSettled(world: CrashCloud): Promise<void> {
  let problems: string[] = []
  await until(
    'a settled cloud',
    async () => {
      problems = await problemsOf(world)
      return problems.length === 0
    },
    settleMs,
  ).catch((error: unknown) => {
    throw new Error(`${(error as Error).message}: ${problems.slice(0, 5).join('; ')}`)
  })
  await checkEndings(world)
  // fsck looks again at what it finds, and asks the agents what is on their hosts.
  const { findings, asked } = await world.admin<{
    findings: { code: string; subject: string; what: string }[]
    asked: string[]
  }>('POST', '/admin/v1/fsck', { graceSeconds: 0 })
  if (findings.length > 0)
    throw new Error(`fsck: ${findings.map((one) => `${one.code} ${one.subject} ${one.what}`).join('; ')}`)
  if (asked.length < 2) throw new Error(`fsck heard only ${asked.join(', ')}`)
}

/** A node ends a guest that is meant to run only when it started that guest without remembering it. */
async function checkEndings(world: CrashCloud): Promise<void> {
  const log = await readFile(path.join(world.dir, 'log', 'node-controller.log'), 'utf8')
  const wrong = log
    .split('\n')
    .filter((line) => line.includes('"msg":"ending the domain"') && line.includes('"intent":"run"'))
  if (wrong.length > 0) throw new Error(`a guest that is meant to run was ended: ${wrong[0]}`)
}

async function problemsOf(world: CrashCloud): Promise<string[]> {
  const problems: string[] = []
  const guests = await world.guests()
  const ids = new Set(guests.map((row) => row.id))
  for (const row of guests) if (row.state !== 'running') problems.push(`${row.id} is ${row.state}`)
  const domains = await world.host.domains()
  problems.push(...different('domains', ids, new Set(domains.keys())))
  problems.push(...different('folders of instances', ids, await world.host.folders()))
  problems.push(...(await world.host.strays(ids.size)))
  if (!ids.has(world.bystander.id)) problems.push('the bystander is gone')
  if (domains.get(world.bystander.id) !== world.bystander.start) problems.push('the bystander was restarted')
  problems.push(...(await brokenFiles(world.dir)))
  return problems
}

function different(what: string, wanted: ReadonlySet<string>, found: ReadonlySet<string>): string[] {
  const missing = [...wanted].filter((id) => !found.has(id)).map((id) => `${what}: ${id} is missing`)
  const strange = [...found].filter((id) => !wanted.has(id)).map((id) => `${what}: ${id} is nobody's`)
  return [...missing, ...strange]
}

/** Every file of JSON or XML is whole, and nothing half-written lies about. */
async function brokenFiles(dir: string): Promise<string[]> {
  const problems: string[] = []
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = path.join(entry.parentPath, entry.name)
    const name = path.relative(dir, file)
    if (/\.new$|\.tmp$|\/incoming\//.test(name)) problems.push(`${name} was left behind`)
    if (!/\.(json|xml)$/.test(name)) continue
    const text = await readFile(file, 'utf8').catch(() => null) // removed since it was listed
    if (text === null) continue
    try {
      if (name.endsWith('.json')) JSON.parse(text)
      else await parseStringPromise(text)
    } catch {
      problems.push(`${name} is not whole`)
    }
  }
  return problems
}
