/**
 * A real libvirtd that touches nothing of the host: network, mount, UTS and PID namespaces of its own, and
 * private folders bound over the five that libvirtd as root always uses. Nothing in there has a route to
 * anywhere.
 *
 * One small process, the anchor, is the first process of the PID namespace: the daemon can be killed and
 * started again while the domains run on, as on a real host, and whatever lives in there ends with the
 * anchor, even when the test is killed. It ignores SIGCHLD, so the kernel buries dead QEMUs at once; libvirt
 * waits for a dead QEMU's burial before it says that the domain is gone, and on a machine whose first
 * process is slow at that (two seconds in a container) every destroy would take as long.
 *
 * The first connection after a fresh start probes every QEMU binary (eight seconds); what it learnt is kept
 * under .mallee and handed to later ones (a fifth of a second). libvirt trusts that only while CPUID reads
 * the same, which on some virtual machines differs from core to core: the daemon starts on one core and is
 * let go after.
 */
import { execFile, spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { randomUUID } from 'node:crypto'
import { createConnection } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

const LIBVIRTD = '/usr/sbin/libvirtd'
const CAPABILITY_CACHE = join(import.meta.dirname, '../../../.mallee/test-cache/libvirt-capabilities')
const FOLDERS = {
  etc: '/etc/libvirt',
  run: '/run/libvirt',
  lib: '/var/lib/libvirt',
  log: '/var/log/libvirt',
  cache: '/var/cache/libvirt',
}
/** sun_path, without its final zero. */
const SOCKET_PATH_MAX = 107

export interface IsolatedLibvirtdOptions {
  /**
   * An empty folder of the caller's, with a short path (a Unix socket goes into it). Not removed by `stop`.
   */
  dir: string
  /** Name of an existing network namespace to live in; without it, a new one with only `lo`. */
  netns?: string
}

export interface IsolatedLibvirtd {
  /** Reachable from outside the namespaces. */
  readonly socketPath: string
  /** The running daemon's, as seen from outside; changes with `startDaemon`, -1 when there is none. */
  readonly pid: number
  /** Holds the namespaces: `nsenter -t anchorPid -m -n -u -p` goes in. */
  readonly anchorPid: number
  /** Runs a program inside, where process ids are those of the PID namespace; rejects when it fails. */
  exec(file: string, args: string[]): Promise<{ stdout: string; stderr: string }>
  /** Kills the daemon (SIGKILL by default), leaves the domains running. */
  killDaemon(signal?: NodeJS.Signals): Promise<void>
  /** Starts the daemon again in the same namespaces. */
  startDaemon(): Promise<void>
  /** Ends daemon, domains and namespaces. Harmless when called twice. */
  stop(): Promise<void>
}

/** Why no isolated libvirtd can be had here, or null when it can. For skipping tests aloud. */
export function whyNoIsolatedLibvirtd(): string | null {
  if (process.platform !== 'linux') return 'not Linux'
  if (process.getuid?.() !== 0) return 'not root'
  if (!existsSync(LIBVIRTD)) return `${LIBVIRTD} is not installed`
  const tried = spawnSync('unshare', ['--mount', '--net', '--uts', 'true'], { encoding: 'utf8' })
  return tried.status === 0 ? null : `namespaces cannot be made: ${tried.stderr || tried.error?.message}`
}

const daemonConfig = (hostUuid: string, dir: string) => `\
listen_tls = 0
listen_tcp = 0
unix_sock_group = "root"
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "${hostUuid}"
max_clients = 200
log_level = 3
log_outputs = "3:file:${dir}/libvirtd.log"
`

const qemuConfig = `\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = []
namespaces = []
max_core = 0
stdio_handler = "file"
`

async function until(
  what: string,
  timeoutMs: number,
  check: () => boolean | Promise<boolean>,
): Promise<void> {
  const endsAt = performance.now() + timeoutMs
  while (!(await check())) {
    if (performance.now() > endsAt) throw new Error(`${what}: not within ${timeoutMs} ms`)
    await pause(10)
  }
}

/** The only child of `pid`, as seen from outside. */
function childOf(pid: number): number | null {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return children === '' ? null : Number(children.split(' ')[0])
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

const accepts = (socketPath: string) =>
  new Promise<boolean>((resolve) => {
    const socket = createConnection({ path: socketPath })
    const settle = (accepted: boolean) => {
      socket.destroy()
      resolve(accepted)
    }
    socket.once('connect', () => settle(true)).once('error', () => settle(false))
  })

async function startAnchor(dir: string, netns: string | undefined): Promise<ChildProcess> {
  const binds = Object.entries(FOLDERS).map(
    ([name, at]) => `mkdir -p ${at}; mount --bind '${dir}/${name}' ${at}`,
  )
  const script = [
    'set -e',
    'mount --make-rprivate /',
    ...binds,
    // The host's view of devices would show interfaces that are not in here.
    'mount -t sysfs sysfs /sys',
    'ip link set lo up',
    `touch '${dir}/anchored'`,
    // What is ignored stays ignored over exec.
    `trap '' CHLD`,
    'exec sleep infinity',
  ].join('\n')
  const own = ['--mount', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc']
  const unshare = ['unshare', ...own, ...(netns === undefined ? ['--net'] : [])]
  const enter = netns === undefined ? [] : ['nsenter', `--net=/run/netns/${netns}`]
  // Without its maker the anchor has no purpose: it goes with this process.
  await rm(join(dir, 'anchored'), { force: true })
  const [file, ...args] = ['setpriv', '--pdeathsig', 'KILL', ...enter, ...unshare, 'bash', '-c', script]
  const anchor = spawn(file!, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  anchor.stderr!.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  await until('namespaces', 10_000, async () => {
    if (anchor.exitCode !== null) throw new Error(`namespaces could not be made: ${complaint}`)
    return existsSync(join(dir, 'anchored'))
  })
  return anchor
}

async function saveCapabilities(dir: string): Promise<void> {
  const learnt = join(dir, 'cache/qemu/capabilities')
  if (existsSync(CAPABILITY_CACHE) || !existsSync(learnt)) return
  const fresh = `${CAPABILITY_CACHE}.${randomUUID()}`
  await mkdir(dirname(CAPABILITY_CACHE), { recursive: true })
  await cp(learnt, fresh, { recursive: true })
  // Another test may have been faster; either copy will do.
  await rename(fresh, CAPABILITY_CACHE).catch(() => rm(fresh, { recursive: true, force: true }))
}

/** The folders and settings of a libvirtd, and what earlier ones learnt of QEMU. */
async function prepareFolders(dir: string, socketPath: string): Promise<void> {
  if (Buffer.byteLength(socketPath) > SOCKET_PATH_MAX) {
    throw new RangeError(`path too long for a socket: ${socketPath}`)
  }
  if (/['\n]/.test(dir)) throw new RangeError(`folder name not possible: ${JSON.stringify(dir)}`)
  for (const name of Object.keys(FOLDERS)) await mkdir(join(dir, name), { recursive: true })
  await writeFile(join(dir, 'etc/libvirtd.conf'), daemonConfig(randomUUID(), dir))
  await writeFile(join(dir, 'etc/qemu.conf'), qemuConfig)
  if (existsSync(CAPABILITY_CACHE)) {
    await cp(CAPABILITY_CACHE, join(dir, 'cache/qemu/capabilities'), { recursive: true })
  }
}

/** The daemon in the anchor's namespaces, to be started and killed any number of times. */
function createDaemon(dir: string, socketPath: string, anchorPid: number) {
  const allCpus = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!
  const firstCpu = /^\d+/.exec(allCpus)![0]
  const inside = (file: string, args: string[]) => [
    '-t',
    String(anchorPid),
    '-m',
    '-n',
    '-u',
    '-p',
    file,
    ...args,
  ]
  /** nsenter, whose child is the daemon: entering a PID namespace takes a fork. */
  let door: ChildProcess | null = null
  let pid = -1
  return {
    pid: () => pid,
    exec: (file: string, args: string[]) => run('nsenter', inside(file, args)),
    start: async () => {
      const args = ['-f', join(dir, 'etc/libvirtd.conf'), '-p', join(dir, 'run/libvirtd.pid')]
      await rm(socketPath, { force: true })
      const command = inside('taskset', ['-c', firstCpu, LIBVIRTD, ...args])
      const started = spawn('nsenter', command, { stdio: 'ignore' })
      door = started
      await until('libvirtd', 20_000, async () => {
        if (started.exitCode !== null) throw new Error(`libvirtd ended at once, see ${dir}/libvirtd.log`)
        return accepts(socketPath)
      })
      pid = childOf(started.pid!)!
      // It listens before it is ready; the first answer comes when it is.
      await run('nsenter', inside('virsh', ['-c', 'test:///default', 'version']))
      await run('taskset', ['-a', '-p', '-c', allCpus, String(pid)])
    },
    kill: async (signal: NodeJS.Signals) => {
      if (door === null) return
      const ending = door
      door = null
      if (pid !== -1) process.kill(pid, signal)
      pid = -1
      await ended(ending)
    },
    /** After the namespaces' end. */
    buried: async () => {
      if (door !== null) await ended(door)
    },
  }
}

/** Starts a libvirtd in namespaces of its own, ready for connections. */
export async function startIsolatedLibvirtd(options: IsolatedLibvirtdOptions): Promise<IsolatedLibvirtd> {
  const { dir, netns } = options
  const socketPath = join(dir, 'run/libvirt-sock')
  await prepareFolders(dir, socketPath)
  const unshare = await startAnchor(dir, netns)
  const anchorPid = childOf(unshare.pid!)!
  const daemon = createDaemon(dir, socketPath, anchorPid)
  const stop = async () => {
    if (unshare.exitCode !== null || unshare.signalCode !== null) return
    await saveCapabilities(dir)
    // The kernel kills everything in a PID namespace with its first process.
    process.kill(anchorPid, 'SIGKILL')
    await ended(unshare)
    await daemon.buried()
  }
  try {
    await daemon.start()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    socketPath,
    anchorPid,
    get pid() {
      return daemon.pid()
    },
    exec: daemon.exec,
    killDaemon: (signal = 'SIGKILL') => daemon.kill(signal),
    startDaemon: daemon.start,
    stop,
  }
}
