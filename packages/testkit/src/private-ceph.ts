import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { newUuid } from '@mallee/base'
import { until } from './test-host.ts'
import { freePort } from './free-port.ts'

const run = promisify(execFile)
const programs = ['ceph-mon', 'ceph-mgr', 'ceph-osd', 'ceph', 'rbd']
/** The file is sparse; what is written into it takes room. */
const osdBytes = 6 * 1024 ** 3

/** Why no Ceph can be started here, or null when it can. For skipping tests aloud. */
export function whyNoCeph(): string | null {
  if (process.getuid?.() !== 0) return 'not root'
  const lacking = programs.find((name) => !existsSync(`/usr/bin/${name}`))
  return lacking === undefined ? null : `${lacking} is not installed`
}

export interface PrivateCeph {
  readonly conf: string
  readonly user: string
  readonly pool: string
  /** Ceph's own command. */
  ceph(...args: string[]): Promise<string>
  rbd(...args: string[]): Promise<string>
  /** As by a power cut, and back. */
  restartStore(): Promise<void>
  stop(): Promise<void>
}

/** A Ceph of the test's own: one monitor, one manager and one store in a file, on loopback, in a folder that goes with it. */
export async function startPrivateCeph(): Promise<PrivateCeph> {
  const dir = await mkdtemp('/tmp/mlceph-')
  const conf = path.join(dir, 'ceph.conf')
  const [fsid, port] = [newUuid(), await freePort()]
  for (const name of ['mon', 'mgr', 'osd', 'run']) await mkdir(path.join(dir, name))
  await writeFile(conf, configuration(dir, fsid, port))
  const keyring = path.join(dir, 'admin.keyring')
  const all = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *', '--cap', 'mgr', 'allow *']
  const authtool = (...args: string[]) => run('ceph-authtool', args)
  const children = new Map<string, ChildProcess>()
  const start = (program: string, id: string) => {
    const child = spawn(program, ['-c', conf, '-i', id, '-f'], { stdio: 'ignore' })
    children.set(program, child)
  }
  const ceph = async (...args: string[]) =>
    (await run('ceph', ['-c', conf, '--connect-timeout', '10', ...args], { timeout: 60_000 })).stdout
  const end = async (child: ChildProcess) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }
  const stop = async () => {
    await Promise.all([...children.values()].map(end))
    await rm(dir, { recursive: true, force: true })
  }
  try {
    const monKeyring = path.join(dir, 'mon.keyring')
    await authtool('--create-keyring', monKeyring, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *')
    await authtool('--create-keyring', keyring, '--gen-key', '-n', 'client.admin', ...all)
    await authtool(monKeyring, '--import-keyring', keyring)
    const map = path.join(dir, 'monmap')
    await run('monmaptool', ['--create', '--addv', 'a', `[v2:127.0.0.1:${port}]`, '--fsid', fsid, map])
    await run('ceph-mon', ['-c', conf, '--mkfs', '-i', 'a', '--monmap', map, '--keyring', monKeyring])
    start('ceph-mon', 'a')
    await until('the monitor answers', 30, () => ceph('-s'))
    const caps = ['mon', 'allow profile mgr', 'osd', 'allow *', 'mds', 'allow *']
    await writeFile(path.join(dir, 'mgr', 'keyring'), await ceph('auth', 'get-or-create', 'mgr.x', ...caps))
    start('ceph-mgr', 'x')
    await makeStore(dir, conf, ceph)
    start('ceph-osd', '0')
    await ceph('osd', 'pool', 'create', 'volumes', '8')
    await ceph('osd', 'pool', 'application', 'enable', 'volumes', 'rbd')
    await until('the store is counted', 60, async () => {
      const { stats } = JSON.parse(await ceph('df', '--format', 'json')) as { stats: { total_bytes: number } }
      return stats.total_bytes > 0
    })
  } catch (error) {
    await stop()
    throw error
  }
  return {
    ...{ conf, user: 'admin', pool: 'volumes', ceph, stop },
    rbd: async (...args) => (await run('rbd', ['-c', conf, ...args])).stdout,
    async restartStore() {
      await end(children.get('ceph-osd')!)
      start('ceph-osd', '0')
    },
  }
}

async function makeStore(
  dir: string,
  conf: string,
  ceph: (...args: string[]) => Promise<string>,
): Promise<void> {
  const [uuid, data] = [newUuid(), path.join(dir, 'osd')]
  await ceph('osd', 'new', uuid)
  const caps = ['mon', 'allow profile osd', 'mgr', 'allow profile osd', 'osd', 'allow *']
  await writeFile(path.join(data, 'keyring'), await ceph('auth', 'get-or-create', 'osd.0', ...caps))
  await run('ceph-osd', ['-c', conf, '-i', '0', '--mkfs', '--osd-uuid', uuid])
}

const configuration = (dir: string, fsid: string, port: number) => `[global]
fsid = ${fsid}
mon host = [v2:127.0.0.1:${port}]
keyring = ${dir}/admin.keyring
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
ms bind msgr1 = false
run dir = ${dir}/run
admin socket = ${dir}/run/$name.$pid.asok
log file = ${dir}/$name.log
public addr = 127.0.0.1
cluster addr = 127.0.0.1
[mon.a]
mon data = ${dir}/mon
[mgr.x]
mgr data = ${dir}/mgr
keyring = ${dir}/mgr/keyring
[osd.0]
osd data = ${dir}/osd
keyring = ${dir}/osd/keyring
osd objectstore = bluestore
bluestore block size = ${osdBytes}
osd memory target = 939524096
`
