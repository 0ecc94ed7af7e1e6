import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { newUuid, writeAtomically, isAlive, readPidFile, writePidFile } from '@mallee/base'
import type { Layout } from '../layout.ts'
import { removeNetns } from './netns.ts'
import { run, succeeds } from '../program.ts'

/**
 * The embedded node's machine: a network namespace, and an anchor process that holds a mount, UTS and PID namespace in
 * which libvirtd finds private folders. The anchor is the first process there and ignores SIGCHLD, so that a dead QEMU
 * is buried at once; as long as it lives, guests live, whatever happens to every daemon. One veth pair carries the
 * route to the public pool; beneath it a blackhole keeps every packet for a guest on this machine.
 */
export const libvirtFolders = {
  etc: '/etc/libvirt',
  run: '/run/libvirt',
  lib: '/var/lib/libvirt',
  log: '/var/log/libvirt',
  cache: '/var/cache/libvirt',
} as const

/** Marks our routes in the kernel's table, so that nobody else's is ever removed (`ip route … proto 191`). */
export const routeProtocol = '191'

export function libvirtSocket(layout: Layout): string {
  return layout.file('host', 'run', 'libvirt-sock')
}

export function anchorFile(layout: Layout): string {
  return layout.file('run', 'anchor.pid')
}

export async function ensureNodeHost(layout: Layout): Promise<void> {
  await ensureNamespace(layout)
  await ensureLink(layout)
  await ensureFolders(layout)
  await ensureAnchor(layout)
}

async function ensureNamespace(layout: Layout): Promise<void> {
  if (!existsSync(`/run/netns/${layout.netns}`)) await run('ip', ['netns', 'add', layout.netns])
  await run('ip', ['-n', layout.netns, 'link', 'set', 'lo', 'up'])
  const settings = {
    'ipv4/ip_forward': 1,
    'ipv4/conf/all/rp_filter': 0,
    'ipv4/conf/default/rp_filter': 0,
    'ipv6/conf/all/disable_ipv6': 1,
    'ipv6/conf/default/disable_ipv6': 1,
  }
  const script = Object.entries(settings).map(([name, value]) => `echo ${value} > /proc/sys/net/${name}`)
  await run('nsenter', [`--net=/run/netns/${layout.netns}`, 'sh', '-c', script.join('\n')])
}

/** Bytes: Ethernet's 1500 and a tunnel's 50. */
const uplinkMtu = '1550'

async function ensureLink(layout: Layout): Promise<void> {
  const link = `${layout.linkPrefix}h`
  const { netns, hostAddress, nodeAddress } = layout
  const pool = layout.choices.publicPool
  if (!(await succeeds('ip', ['link', 'show', 'dev', link]))) {
    await run('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', 'uplink', 'netns', netns])
  }
  // Room for tunnels to the nodes of other machines around what guests send.
  await run('ip', ['link', 'set', link, 'mtu', uplinkMtu])
  await run('ip', ['-n', netns, 'link', 'set', 'uplink', 'mtu', uplinkMtu])
  await run('ip', ['addr', 'replace', `${hostAddress}/32`, 'peer', `${nodeAddress}/32`, 'dev', link])
  await run('ip', ['link', 'set', link, 'up'])
  await run('ip', [
    '-n',
    netns,
    'addr',
    'replace',
    `${nodeAddress}/32`,
    'peer',
    `${hostAddress}/32`,
    'dev',
    'uplink',
  ])
  await run('ip', ['-n', netns, 'link', 'set', 'uplink', 'up'])
  await run('ip', ['-n', netns, 'route', 'replace', 'default', 'via', hostAddress])
  await run('ip', ['route', 'replace', pool, 'via', nodeAddress, 'dev', link])
  await run('ip', ['route', 'replace', 'blackhole', pool, 'metric', '4000'])
}

async function ensureFolders(layout: Layout): Promise<void> {
  for (const name of Object.keys(libvirtFolders))
    await mkdir(layout.file('host', name), { recursive: true, mode: 0o755 })
  const etc = layout.file('host', 'etc')
  const uuidFile = layout.file('host', 'host-uuid')
  if (!existsSync(uuidFile)) await writeAtomically(uuidFile, newUuid(), 0o644)
  const hostUuid = (await readFile(uuidFile, 'utf8')).trim()
  if (!existsSync(path.join(etc, 'libvirtd.conf'))) {
    if (existsSync('/etc/libvirt'))
      await cp('/etc/libvirt', etc, { recursive: true, force: false, errorOnExist: false })
    await writeFile(path.join(etc, 'qemu.conf'), qemuConfig)
    await rm(path.join(etc, 'qemu', 'networks'), { recursive: true, force: true })
    // The last of them, and whole: where it is, all are.
    await writeAtomically(path.join(etc, 'libvirtd.conf'), daemonConfig(hostUuid), 0o644)
  }
}

const daemonConfig = (hostUuid: string) => `listen_tls = 0
listen_tcp = 0
unix_sock_group = "root"
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "${hostUuid}"
max_clients = 200
max_client_requests = 50
log_level = 3
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
`

/** The node's disks are its own files and QEMU runs inside the node's namespaces; libvirt has nothing to relabel. */
const qemuConfig = `user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = []
namespaces = []
max_core = 0
stdio_handler = "file"
`

async function ensureAnchor(layout: Layout): Promise<void> {
  const file = anchorFile(layout)
  if (isAlive(await readPidFile(file))) return
  const ready = layout.file('run', 'anchored')
  await mkdir(layout.file('run'), { recursive: true, mode: 0o700 })
  await rm(ready, { force: true })
  const binds = Object.entries(libvirtFolders).map(
    ([name, at]) => `mkdir -p ${at}; mount --bind "$1/${name}" ${at}`,
  )
  const script = [
    'set -e',
    'mount --make-rprivate /',
    ...binds,
    'mount -t sysfs sysfs /sys',
    // A name with a dot: libvirt asks DNS about any other at every start, and there is none in here to answer.
    'hostname node.mallee.internal',
    'touch "$2"',
    "trap '' CHLD",
    'exec sleep infinity',
  ].join('\n')
  const own = ['--mount', '--uts', '--pid', '--fork', '--mount-proc']
  const args = [
    `--net=/run/netns/${layout.netns}`,
    'unshare',
    ...own,
    'bash',
    '-c',
    script,
    'anchor',
    layout.file('host'),
    ready,
  ]
  const child = spawn('nsenter', args, { detached: true, stdio: 'ignore' })
  child.unref()
  for (let tries = 0; !existsSync(ready); tries += 1) {
    if (tries > 200 || child.exitCode !== null)
      throw new Error('the namespaces of the node could not be made')
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  await writePidFile(file, await firstChild(child.pid!))
}

/** The anchor itself: unshare's only child, as seen from outside. */
async function firstChild(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return Number(text.trim().split(' ')[0])
}

/** The words before a program that make it run where the guests live. */
export async function insideNode(layout: Layout): Promise<string[]> {
  const anchor = await readPidFile(anchorFile(layout))
  if (!isAlive(anchor)) throw new Error('the node has no namespaces')
  return ['nsenter', '-t', String(anchor!.pid), '-m', '-n', '-u', '-p']
}

/** Removes namespaces, links and routes; what lives in them ends. Harmless when repeated. */
export async function removeNodeHost(layout: Layout): Promise<void> {
  const anchor = await readPidFile(anchorFile(layout))
  if (isAlive(anchor)) await endNamespaces(anchor.pid)
  const pool = layout.choices.publicPool
  await succeeds('ip', ['route', 'del', 'blackhole', pool, 'metric', '4000'])
  await succeeds('ip', ['route', 'flush', 'root', pool, 'proto', routeProtocol])
  await succeeds('ip', ['link', 'del', `${layout.linkPrefix}h`])
  await removeNetns(layout.netns) // with the node's resolver, which is nobody's child
}

/** Ends the first process of the PID namespace, and with it all others; waits until the last of them is buried. */
async function endNamespaces(anchorPid: number): Promise<void> {
  const status = await readFile(`/proc/${anchorPid}/status`, 'utf8')
  const parent = /^PPid:\s*(\d+)/m.exec(status)?.[1]
  process.kill(anchorPid, 'SIGKILL')
  for (
    let tries = 0;
    tries < 200 && parent !== undefined && parent !== '1' && existsSync(`/proc/${parent}`);
    tries += 1
  ) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
