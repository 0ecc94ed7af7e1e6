import { readFile, readlink, stat } from 'node:fs/promises'
import path from 'node:path'
import { endProcess, isAlive, readProcessMark, writeAtomically } from '@mallee/base'
import type { Commands } from './commands.ts'

/**
 * A dnsmasq of ours and its folder, which it sees under one fixed path, whatever the folder's own: it runs as nobody, who
 * may not walk through the state folder. Such processes are nobody's children: they outlive this one and are taken up
 * again by their pid files.
 */
export const seenAt = '/mnt'

/** From asking it to end until it is ended. */
const graceMs = 1000

/** What every configuration of ours begins with. */
export const commonOptions = [
  'no-hosts',
  'user=nobody',
  'group=nogroup',
  'bind-interfaces',
  `pid-file=${seenAt}/pid`,
  `log-facility=${seenAt}/log`,
]

/** Returns when it listens: dnsmasq detaches after that. It runs in that namespace, or in the node's. */
export async function startDnsmasq(commands: Commands, dir: string, namespace?: string): Promise<void> {
  const script = `mount --bind "$1" ${seenAt} && cd / && exec dnsmasq --conf-file=${seenAt}/dnsmasq.conf`
  await commands.run('unshare', ['--mount', 'sh', '-c', script, 'dnsmasq', dir], namespace)
}

/** A process that exits lets go of its folder before its sockets, whose addresses the next one wants: it is waited for. */
export async function stopDnsmasq(dir: string): Promise<void> {
  const pid = await dnsmasqPid(dir)
  if (pid !== null) await endProcess(readProcessMark(pid), graceMs)
}

/**
 * The living dnsmasq of a folder, in that namespace if one is named. A pid proves nothing, since pids come round again;
 * that it sees this very folder does.
 */
export async function dnsmasqPid(dir: string, namespace?: string): Promise<number | null> {
  const pid = Number((await readFile(path.join(dir, 'pid'), 'utf8').catch(() => '')).trim())
  if (!Number.isInteger(pid) || pid <= 1) return null
  if (!isAlive(readProcessMark(pid))) return null
  try {
    const [seen, own] = await Promise.all([stat(`/proc/${pid}/root${seenAt}`), stat(dir)])
    if (seen.ino !== own.ino || seen.dev !== own.dev) return null
    if (namespace === undefined) return pid
    const router = await stat(`/run/netns/${namespace}`)
    return (await readlink(`/proc/${pid}/ns/net`)) === `net:[${router.ino}]` ? pid : null
  } catch {
    return null // it ended
  }
}

/** Writes a file, whole, if its content is another; tells whether it was. */
export async function writeChanged(file: string, content: string): Promise<boolean> {
  if ((await readFile(file, 'utf8').catch(() => null)) === content) return false
  await writeAtomically(file, content, 0o644)
  return true
}
