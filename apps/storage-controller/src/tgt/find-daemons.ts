import { readdir, readFile } from 'node:fs/promises'

/**
 * Target daemons that were started with this socket, whatever our own notes say: a death between a start and its note
 * must not lead to a second daemon, which would share the port with one that still serves what was withdrawn.
 */
export async function findDaemons(socketPrefix: string): Promise<number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || !(await isTgtd(Number(name)))) continue
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '')
    if (environment.split('\0').includes(`TGT_IPC_SOCKET=${socketPrefix}`)) found.push(Number(name))
  }
  return found
}

/** Also while what puts it into its namespace has not become it yet. */
export async function isTgtd(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return text.split('\0').includes('/usr/sbin/tgtd')
}
