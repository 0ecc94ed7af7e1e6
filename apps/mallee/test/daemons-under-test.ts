import { spawn, type ChildProcess } from 'node:child_process'
import { createWriteStream, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { adminCall } from '../src/admin-client.ts'
import { endStorageHost } from '../src/host/storage-host.ts'

const root = path.resolve(import.meta.dirname, '../../..')
const daemons = {
  'cloud-controller': 'apps/cloud-controller',
  walrus: 'apps/walrus',
  'storage-controller': 'apps/storage-controller',
  'node-controller': 'apps/node-controller',
  'front-door': 'packages/front-door',
} as const
type DaemonName = keyof typeof daemons

interface Choices {
  readonly tracingEndpoint?: string
  /** `file`: real volumes by a real target daemon, which needs root. */
  readonly storage?: 'file'
}

/** All daemons as processes of their own on loopback, with a simulated hypervisor, their logs at their most talkative. */
export class DaemonsUnderTest {
  readonly dir: string
  private readonly ports: Record<string, number>
  private readonly children = new Map<DaemonName, ChildProcess>()
  /** The secret parts of the join tokens that were used. */
  readonly joinSecrets: string[] = []

  private constructor(dir: string, ports: Record<string, number>) {
    this.dir = dir
    this.ports = ports
  }

  static async start(options: Choices = {}): Promise<DaemonsUnderTest> {
    const dir = await mkdtemp(path.join(tmpdir(), 'mallee-daemons-'))
    const names = [
      'door',
      'agents',
      'walrus',
      'admin',
      'walrusHealth',
      'storageHealth',
      'nodeHealth',
      'doorHealth',
      'targets',
    ]
    const numbers = await freePorts(names.length)
    const ports = Object.fromEntries(names.map((name, index) => [name, numbers[index]!]))
    const test = new DaemonsUnderTest(dir, ports)
    await mkdir(path.join(dir, 'log'))
    const configs = test.configs(options)
    for (const [name, config] of Object.entries(configs))
      await writeFile(path.join(dir, `${name}.json`), JSON.stringify({ ...config, logLevel: 'debug' }))
    test.spawn('cloud-controller')
    await test.eventually(() => test.admin('GET', '/admin/v1/status'))
    for (const kind of ['walrus', 'storage', 'node'] as const) await test.giveToken(kind)
    for (const name of ['walrus', 'storage-controller', 'node-controller', 'front-door'] as const)
      test.spawn(name)
    await test.eventually(async () => {
      const status = await test.admin<{ ready: boolean }>('GET', '/admin/v1/status')
      return status.ready
    })
    return test
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.ports['door']}`
  }

  /** Of the real target daemon. */
  get targetsPort(): number {
    return this.ports['targets']!
  }

  get credentials(): { accountId: string; accessKeyId: string; secretAccessKey: string } {
    return JSON.parse(readFileSync(path.join(this.dir, 'cloud', 'credentials.json'), 'utf8')) as never
  }

  admin<T>(method: 'GET' | 'POST', route: string, body?: unknown): Promise<T> {
    return adminCall<T>(path.join(this.dir, 'admin.sock'), method, route, body)
  }

  /** What each daemon tells a monitor. */
  async health(route: string): Promise<Record<string, { status: number; body: string }>> {
    const answers: Record<string, { status: number; body: string }> = {}
    for (const name of ['admin', 'walrusHealth', 'storageHealth', 'nodeHealth', 'doorHealth']) {
      const response = await fetch(`http://127.0.0.1:${this.ports[name]}${route}`)
      answers[name] = { status: response.status, body: await response.text() }
    }
    return answers
  }

  async logs(): Promise<Record<string, string>> {
    const names = await readdir(path.join(this.dir, 'log'))
    const texts = names.map(async (name) => [name, await readFile(path.join(this.dir, 'log', name), 'utf8')])
    return Object.fromEntries(await Promise.all(texts)) as Record<string, string>
  }

  async eventually<T>(ask: () => Promise<T>): Promise<T> {
    const untilMs = Date.now() + 45_000
    for (;;) {
      const answer = await ask().catch((error: unknown) => {
        if (Date.now() > untilMs) throw error
        return null
      })
      if (answer) return answer
      if (Date.now() > untilMs) throw new Error('it did not come')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.children.values()].map((child) => end(child, 'SIGTERM')))
    await endStorageHost(path.join(this.dir, 'storage-agent', 'run'))
    await rm(this.dir, { recursive: true, force: true })
  }

  /** As by kill -9; after `awayMs` another of its kind is there, and finds what the last one left. */
  async restart(name: DaemonName, awayMs = 0): Promise<void> {
    await end(this.children.get(name)!, 'SIGKILL')
    await new Promise((resolve) => setTimeout(resolve, awayMs))
    this.spawn(name)
  }

  private spawn(name: DaemonName): void {
    const log = createWriteStream(path.join(this.dir, 'log', `${name}.log`), { flags: 'a' })
    const script = path.join(root, daemons[name], 'src/main.ts')
    const args = ['--disable-warning=ExperimentalWarning', script, path.join(this.dir, `${name}.json`)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.pipe(log)
    child.stderr.pipe(log)
    this.children.set(name, child)
  }

  private async giveToken(kind: 'node' | 'storage' | 'walrus'): Promise<void> {
    const { token } = await this.admin<{ token: string }>('POST', '/admin/v1/tokens', {
      kind,
      availabilityZone: 'us-east-1a',
    })
    this.joinSecrets.push(token.split('.').at(-1)!)
    await writeFile(path.join(this.dir, `${kind}-token`), token, { mode: 0o600 })
  }

  private configs(options: Choices): Record<DaemonName, object> {
    const at = (...parts: string[]) => path.join(this.dir, ...parts)
    const listen = (name: string) => ({ host: '127.0.0.1', port: this.ports[name]! })
    const cloudUrl = `https://127.0.0.1:${this.ports['agents']}`
    const traced = options.tracingEndpoint ? { tracing: { endpoint: options.tracingEndpoint } } : {}
    return {
      'cloud-controller': {
        stateDir: at('cloud'),
        database: { engine: 'sqlite', file: at('cloud', 'record.db') },
        door: { socket: at('door.sock') },
        agents: listen('agents'),
        admin: listen('admin'),
        adminSocket: at('admin.sock'),
        region: 'us-east-1',
        availabilityZones: ['us-east-1a'],
        publicPool: '198.18.0.0/24',
        endpoint: this.endpoint,
        pollSeconds: 1,
        ...traced,
      },
      walrus: {
        dir: at('walrus-agent'),
        dataDir: at('walrus'),
        cloudUrl,
        joinTokenFile: at('walrus-token'),
        name: 'walrus',
        listen: listen('walrus'),
        region: 'us-east-1',
        health: listen('walrusHealth'),
      },
      'storage-controller': {
        dir: at('storage-agent'),
        dataDir: at('storage'),
        cloudUrl,
        joinTokenFile: at('storage-token'),
        name: 'storage',
        driver: options.storage ?? 'simulated',
        walrusUrl: `https://127.0.0.1:${this.ports['walrus']}`,
        portal: { ...listen('targets'), advertise: '127.0.0.1' },
        health: listen('storageHealth'),
      },
      'node-controller': {
        dir: at('node-agent'),
        cloudUrl,
        walrusUrl: `https://127.0.0.1:${this.ports['walrus']}`,
        joinTokenFile: at('node-token'),
        name: 'node',
        instancesDir: at('instances'),
        imagesDir: at('images'),
        customDir: at('etc'),
        hypervisor: { driver: 'simulated' },
        network: { driver: 'simulated' },
        health: listen('nodeHealth'),
        ...traced,
      },
      'front-door': {
        listen: listen('door'),
        cloud: { socketPath: at('door.sock') },
        walrus: listen('walrus'),
        health: listen('doorHealth'),
      },
    }
  }
}

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once('exit', () => resolve())
    child.kill(signal)
  })
}

/** Ports that nobody has at this moment. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports: number[] = []
  for (const server of servers) {
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    ports.push((server.address() as { port: number }).port)
  }
  for (const server of servers)
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
    })
  return ports
}
