import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { digestOf, silentLog } from '@mallee/base'
import { Ledger, saveIdentity } from '@mallee/agent-kit'
import type { DesiredResponse } from '@mallee/agent-contract'
import type { Credentials } from '@mallee/aws-protocol'
import type { LoopDelay } from './loop-probe.ts'
import { createAuthority, issueCertificate, walrusServerName } from '@mallee/pki'

const credentials: Credentials = {
  accessKeyId: 'AKIABENCHBENCHBENCH0',
  secretAccessKey: 'bench'.repeat(8),
}
const main = path.join(import.meta.dirname, '../../apps/walrus/src/main.ts')

/** A real walrus in a process of its own whose cloud is away: it knows its one access key from its ledger. */
export class WalrusProcess {
  readonly dir: string
  readonly credentials = credentials
  readonly profile: string | undefined
  private child: ChildProcess | null = null
  port = 0

  private constructor(dir: string, profile: string | undefined) {
    this.dir = dir
    this.profile = profile
  }

  /** `profile`: a folder for node's processor profiles. */
  static async prepare(dir: string, more: object = {}, profile?: string): Promise<WalrusProcess> {
    mkdirSync(dir, { recursive: true })
    const agent = path.join(dir, 'agent')
    const key = await plantIdentity(agent)
    await plantAccessKey(path.join(agent, 'ledger'), key)
    const config = {
      dir: agent,
      dataDir: path.join(dir, 'data'),
      cloudUrl: 'https://127.0.0.1:1',
      joinTokenFile: path.join(dir, 'token'),
      name: 'walrus',
      listen: { host: '127.0.0.1', port: 0 },
      region: 'us-east-1',
      logLevel: 'info',
      ...more,
    }
    writeFileSync(path.join(dir, 'walrus.json'), JSON.stringify(config))
    return new WalrusProcess(dir, profile)
  }

  async start(): Promise<void> {
    const log = openSync(path.join(this.dir, 'walrus.log'), 'a')
    const profiling = this.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${this.profile}`]
    const words = [
      '--disable-warning=ExperimentalWarning',
      '--max-semi-space-size=8', // as `mallee up` starts it
      ...profiling,
      '--import',
      path.join(import.meta.dirname, 'loop-probe.ts'),
      main,
      path.join(this.dir, 'walrus.json'),
    ]
    const child = spawn(process.execPath, words, { stdio: ['ignore', log, log, 'ipc'] })
    closeSync(log)
    this.child = child
    const address = await new Promise<string>((resolve, reject) => {
      child.once('message', (message) => resolve((message as { address: string }).address))
      child.once('exit', () => reject(new Error(`walrus ended; see ${this.dir}/walrus.log`)))
    })
    this.port = Number(new URL(address).port)
    for (;;) {
      const ready = await fetch(`http://127.0.0.1:${this.port}/readyz`).catch(() => null)
      if (ready?.status === 200) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  /** How long the event loop kept others waiting while `work` went on. */
  async loopDelay(work: () => Promise<unknown>): Promise<LoopDelay> {
    const child = this.child!
    child.send('loop-begin')
    await work()
    child.send('loop-end')
    return new Promise((resolve) =>
      child.once('message', (message) => resolve((message as { loop: LoopDelay }).loop)),
    )
  }

  get pid(): number {
    return this.child!.pid!
  }

  async stop(): Promise<void> {
    const { child } = this
    this.child = null
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
  }

  /** Resident memory in mebibytes: now, and the most since `resetPeak`. */
  memory(): { now: number; peak: number } {
    const status = readFileSync(`/proc/${this.child!.pid}/status`, 'utf8')
    const of = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024
    return { now: of('VmRSS'), peak: of('VmHWM') }
  }

  resetPeak(): void {
    writeFileSync(`/proc/${this.child!.pid}/clear_refs`, '5')
  }
}

async function plantIdentity(dir: string): Promise<string> {
  const authority = await createAuthority('bench', Date.now())
  const { key, certificate } = await issueCertificate({
    authority,
    commonName: 'agent-1',
    names: { uri: ['mallee://walrus/agent-1'], dns: [walrusServerName] },
    nowMs: Date.now(),
  })
  await saveIdentity(dir, {
    agentId: 'agent-1',
    kind: 'walrus',
    name: 'walrus',
    availabilityZone: 'us-east-1a',
    region: 'us-east-1',
    key,
    certificate,
    authority: authority.certificate,
    cloudUrl: 'https://127.0.0.1:1',
  })
  return key
}

async function plantAccessKey(dir: string, privateKey: string): Promise<void> {
  const ledger = await Ledger.open({ dir, privateKey, log: silentLog })
  const body = {
    ...credentials,
    accountId: '100000000001',
    canonicalId: '1'.padStart(64, '0'),
    accountName: 'bench',
    userId: 'AIDA1',
    userName: 'admin',
    enabled: true,
  }
  const item = { kind: 'access-key', id: body.accessKeyId, generation: 1, digest: digestOf(body), body }
  const { kind, id, generation, digest } = item
  await ledger.accept({
    revision: 1,
    index: [{ kind, id, generation, digest }],
    bodies: [item],
  } as unknown as DesiredResponse)
}
