import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Credentials } from '@mallee/aws-protocol'
import { CrashClient } from './crash-client.ts'
import { Daemon } from './daemon.ts'
import { simulatedHost, type Host } from './host.ts'
import { until } from './until.ts'

export const bucket = 'images'
const scripts = (app: string) => new URL(`../../apps/${app}/src/main.ts`, import.meta.url).pathname

export interface GuestRow {
  readonly id: string
  readonly state: string
}

/**
 * A cloud of real processes in a folder of its own: cloud controller, walrus and one node controller with the simulated
 * hypervisor and network. One instance, the bystander, is started at the beginning and must never notice anything.
 */
export class CrashCloud {
  readonly dir: string
  readonly client: CrashClient
  readonly cloud: Daemon
  readonly walrus: Daemon
  readonly node: Daemon
  readonly ports: { door: number; agents: number; walrus: number }
  readonly host: Host
  imageId = ''
  bystander = { id: '', start: '' }

  private constructor(
    at: { dir: string; host: Host },
    ports: CrashCloud['ports'],
    daemons: Daemon[],
    client: CrashClient,
  ) {
    this.dir = at.dir
    this.host = at.host
    this.ports = ports
    ;[this.cloud, this.walrus, this.node] = daemons as [Daemon, Daemon, Daemon]
    this.client = client
  }

  static async start(hostIn: (dir: string) => Promise<Host> | Host = simulatedHost): Promise<CrashCloud> {
    const dir = await mkdtemp(path.join(tmpdir(), 'mallee-crash-'))
    const [door, agents, walrus] = await freePorts(3)
    const ports = { door: door!, agents: agents!, walrus: walrus! }
    for (const name of ['config', 'log', 'run', 'etc']) await mkdir(path.join(dir, name))
    const host = await hostIn(dir)
    const daemons: Daemon[] = []
    for (const [name, config] of Object.entries(configsOf(dir, ports, host)))
      daemons.push(await daemonOf(dir, name, name, config))
    daemons[0]!.start()
    await daemons[0]!.untilReady()
    const credentials = JSON.parse(
      await readFile(path.join(dir, 'cloud', 'credentials.json'), 'utf8'),
    ) as Credentials
    const client = new CrashClient({ credentials, cloudPort: ports.door, walrusPort: ports.walrus })
    const world = new CrashCloud({ dir, host }, ports, daemons, client)
    await world.bootstrap()
    return world
  }

  get daemons(): readonly Daemon[] {
    return [this.cloud, this.walrus, this.node]
  }

  async stop(options: { keep: boolean }): Promise<void> {
    for (const daemon of this.daemons) await daemon.kill()
    if (!options.keep) await rm(this.dir, { recursive: true, force: true })
  }

  /** A daemon beside the three, such as one that is about to join. */
  extraNode(name: string): Promise<Daemon> {
    return daemonOf(this.dir, name, 'node-controller', nodeConfig(this.dir, this.ports, name, this.host))
  }

  async newToken(kind: 'node' | 'walrus', agent: string): Promise<void> {
    const { token } = await this.admin<{ token: string }>('POST', '/admin/v1/tokens', {
      kind,
      availabilityZone: 'us-east-1a',
    })
    await mkdir(path.join(this.dir, agent), { recursive: true })
    await writeFile(path.join(this.dir, agent, 'join-token'), token)
  }

  admin<T>(method: 'GET' | 'POST', route: string, body?: object): Promise<T> {
    return adminCall(path.join(this.dir, 'run', 'admin.sock'), method, route, body)
  }

  /** Every instance that is not terminated, as the API tells. */
  async guests(): Promise<GuestRow[]> {
    const answer = await this.client.ec2('DescribeInstances', {}, true)
    if (answer?.status !== 200) throw new Error(answer?.text ?? 'no answer')
    // oxlint-disable-next-line typescript/no-explicit-any -- an answer of the API
    const items = (answer.xml.reservationSet?.item ?? []).flatMap((row: any) => row.instancesSet.item)
    return items
      .map((row: { instanceId: string; instanceState: { name: string } }) => ({
        id: row.instanceId,
        state: row.instanceState.name,
      }))
      .filter((row: GuestRow) => row.state !== 'terminated')
  }

  launch(token: string): ReturnType<CrashClient['ec2']> {
    return this.client.ec2('RunInstances', {
      ImageId: this.imageId,
      MinCount: 1,
      MaxCount: 1,
      InstanceType: 't1.micro',
      ClientToken: token,
    })
  }

  private async bootstrap(): Promise<void> {
    await this.newToken('walrus', 'walrus')
    await this.newToken('node', 'node-controller')
    this.walrus.start()
    this.node.start()
    await this.walrus.untilReady()
    await this.node.untilReady()
    await until(
      'a cloud that is ready',
      async () => (await this.admin<{ ready: boolean }>('GET', '/admin/v1/status')).ready,
    )
    await until('a bucket', async () => (await this.client.s3('PUT', `/${bucket}`))?.status === 200)
    await this.client.s3('PUT', `/${bucket}/first.img`, diskImage(1))
    const registered = await this.client.ec2('RegisterImage', {
      Name: 'first',
      ImageLocation: `${bucket}/first.img`,
      Architecture: 'x86_64',
      VirtualizationType: 'hvm',
      RootDeviceName: '/dev/sda1',
    })
    this.imageId = registered!.xml.imageId as string
    await until('an image', async () => {
      const answer = await this.client.ec2('DescribeImages', { 'ImageId.1': this.imageId }, true)
      return answer?.xml.imagesSet.item[0].imageState === 'available'
    })
    const launched = await this.launch('bystander')
    const id = launched!.xml.instancesSet.item[0].instanceId as string
    await until('the bystander', async () =>
      (await this.guests()).some((row) => row.id === id && row.state === 'running'),
    )
    this.bystander = { id, start: (await this.host.domains()).get(id) ?? '' }
  }
}

/** A disk of one mebibyte with an MBR that marks it bootable; the number makes its bytes its own. */
export function diskImage(number: number): Buffer {
  const disk = Buffer.alloc(1024 * 1024, number & 0xff)
  disk.fill(0, 0, 512)
  disk.set([0x80, 0, 2, 0, 0x83, 0, 8, 0], 446)
  disk.writeUInt32LE(1, 454)
  disk.writeUInt32LE(2047, 458)
  disk.set([0x55, 0xaa], 510)
  disk.writeUInt32LE(number, 1024)
  return disk
}

async function daemonOf(dir: string, name: string, app: string, config: object): Promise<Daemon> {
  const file = path.join(dir, 'config', `${name}.json`)
  await writeFile(file, JSON.stringify(config))
  return new Daemon(name, {
    script: scripts(app),
    config: file,
    root: dir,
    logFile: path.join(dir, 'log', `${name}.log`),
  })
}

function configsOf(dir: string, ports: CrashCloud['ports'], host: Host): Record<string, object> {
  const at = (...names: string[]) => path.join(dir, ...names)
  const cloudUrl = `https://127.0.0.1:${ports.agents}`
  return {
    'cloud-controller': {
      stateDir: at('cloud'),
      database: { engine: 'sqlite', file: at('cloud', 'record.db') },
      door: { host: '127.0.0.1', port: ports.door },
      agents: { host: '127.0.0.1', port: ports.agents },
      admin: { host: '127.0.0.1', port: 0 },
      adminSocket: at('run', 'admin.sock'),
      region: 'us-east-1',
      availabilityZones: ['us-east-1a'],
      publicPool: '198.18.0.0/24',
      endpoint: `http://127.0.0.1:${ports.door}`,
      pollSeconds: 1,
      logLevel: 'info',
    },
    walrus: {
      dir: at('walrus', 'agent'),
      dataDir: at('walrus', 'data'),
      cloudUrl,
      joinTokenFile: at('walrus', 'join-token'),
      name: 'walrus',
      listen: { host: '127.0.0.1', port: ports.walrus },
      region: 'us-east-1',
    },
    'node-controller': nodeConfig(dir, ports, 'node-controller', host),
  }
}

function nodeConfig(dir: string, ports: CrashCloud['ports'], name: string, host: Host): object {
  const at = (...names: string[]) => path.join(dir, name, ...names)
  return {
    dir: at('agent'),
    cloudUrl: `https://127.0.0.1:${ports.agents}`,
    walrusUrl: `https://127.0.0.1:${ports.walrus}`,
    joinTokenFile: at('join-token'),
    name,
    instancesDir: at('instances'),
    imagesDir: at('images'),
    customDir: path.join(dir, 'etc'),
    hypervisor: host.hypervisor,
    network: { driver: 'simulated' },
    maxVcpus: 512,
    maxMemoryMiB: 1_000_000,
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
        }),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

function adminCall<T>(socketPath: string, method: string, route: string, body?: object): Promise<T> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? '' : JSON.stringify(body)
    const headers =
      body === undefined ? {} : { 'content-type': 'application/json', 'content-length': payload.length }
    const call = request({ socketPath, method, path: route, timeout: 60_000, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(text) as T)
        else reject(new Error(`${route}: ${text}`))
      })
    })
    call.on('error', reject)
    call.end(payload)
  })
}
