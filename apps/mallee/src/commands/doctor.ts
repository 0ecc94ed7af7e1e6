import { createServer } from 'node:net'
import { constants, accessSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import os from 'node:os'
import { GiB } from '@mallee/base'
import { neededPackages } from '../host/packages.ts'
import { defaultPortBase, defaultPublicPool, layoutOf, readChoices } from '../layout.ts'
import { succeeds, run } from '../program.ts'
import { parseCommand, print } from './command.ts'

interface Finding {
  readonly ok: boolean
  readonly what: string
  readonly remedy?: string
}

/** Looks, changes nothing, and says what to do about each thing that is not well. */
export async function runDoctor(args: string[]): Promise<number> {
  const { stateDir, values } = parseCommand(
    args,
    { 'port-base': { type: 'string' } },
    { least: 0, most: 0, usage: 'doctor [--port-base N]' },
  )
  const portBase = Number(values['port-base'] ?? defaultPortBase)
  const present = readChoices(stateDir)
  const choices = present ?? {
    portBase,
    publicPool: defaultPublicPool(portBase),
    region: 'us-east-1',
    availabilityZones: ['us-east-1a'],
  }
  const layout = layoutOf(stateDir, choices)
  const findings: Finding[] = [
    rootFinding(),
    await packagesFinding(),
    deviceFinding('/dev/net/tun', 'taps need it; load the module tun'),
    await namespaceFinding(),
    await diskFinding(stateDir),
    memoryFinding(),
    acceleratorFinding(),
    ...(present ? [] : await portFindings(Object.values(layout.ports))),
    ...(present ? [] : [await poolFinding(choices.publicPool)]),
  ]
  for (const finding of findings) {
    print(`${finding.ok ? 'ok  ' : 'FAIL'} ${finding.what}`)
    if (!finding.ok && finding.remedy) print(`       ${finding.remedy}`)
  }
  return findings.every((finding) => finding.ok) ? 0 : 1
}

function rootFinding(): Finding {
  return { ok: process.getuid?.() === 0, what: 'running as root', remedy: 'sudo ./mallee …' }
}

async function packagesFinding(): Promise<Finding> {
  const missing = await neededPackages()
  return {
    ok: missing.length === 0,
    what: missing.length === 0 ? 'Debian packages' : `Debian packages missing: ${missing.join(' ')}`,
    remedy: './mallee setup',
  }
}

function deviceFinding(device: string, remedy: string): Finding {
  try {
    accessSync(device, constants.R_OK | constants.W_OK)
    return { ok: true, what: device }
  } catch {
    return { ok: false, what: `${device} cannot be opened`, remedy }
  }
}

async function namespaceFinding(): Promise<Finding> {
  const ok = await succeeds('unshare', ['--mount', '--net', '--uts', '--pid', '--fork', 'true'])
  return { ok, what: 'namespaces can be made', remedy: 'in a container: run it privileged' }
}

async function diskFinding(stateDir: string): Promise<Finding> {
  for (let dir = stateDir; ; dir = dir.slice(0, dir.lastIndexOf('/')) || '/') {
    const info = await statfs(dir).catch(() => null)
    if (!info) continue
    const freeGiB = Math.floor((info.bavail * info.bsize) / GiB)
    return {
      ok: freeGiB >= 5,
      what: `${freeGiB} GiB free under ${dir}`,
      remedy: 'at least 5 GiB; choose another folder with --state',
    }
  }
}

function memoryFinding(): Finding {
  const gib = Math.floor(os.totalmem() / GiB)
  return { ok: gib >= 2, what: `${gib} GiB of memory`, remedy: 'at least 2 GiB' }
}

function acceleratorFinding(): Finding {
  const flags = os.cpus().length
  return {
    ok: flags > 0,
    what: `${flags} processor(s); the node probes KVM by a trial and says in ./mallee status what guests run with`,
  }
}

async function portFindings(ports: readonly number[]): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const port of ports) {
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer()
      server.once('error', () => resolve(false))
      server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)))
    })
    findings.push({
      ok: free,
      what: free ? `port ${port} is free` : `port ${port} is taken`,
      remedy: 'choose others with --port-base N',
    })
  }
  return findings
}

async function poolFinding(pool: string): Promise<Finding> {
  const routes = await run('ip', ['-4', 'route', 'show', 'root', pool]).catch(() => '')
  return {
    ok: routes.trim() === '',
    what: routes.trim() === '' ? `no route to ${pool} yet` : `${pool} is routed elsewhere: ${routes.trim()}`,
    remedy: 'choose another with --public-pool CIDR',
  }
}
