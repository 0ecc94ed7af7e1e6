import { readdir, readFile } from 'node:fs/promises'
import { domainName } from '../driver.ts'

/**
 * Whose a domain is. The name alone proves nothing on a machine that others use too: ours is what names a file below
 * our folder of instances, which no stylesheet can leave out, since the root disk is there.
 */
export function isOurs(text: string, instancesDir: string): boolean {
  for (let at = text.indexOf(`${instancesDir}/`); at >= 0; at = text.indexOf(`${instancesDir}/`, at + 1))
    if (at === 0 || !/[\w./-]/.test(text[at - 1]!)) return true // a whole path, and no end of a longer one
  return false
}

/** QEMU's processes of ours, by their command line, whether libvirtd still knows of them or not. */
export async function findProcesses(instancesDir: string): Promise<{ name: string; pid: number }[]> {
  const found: { name: string; pid: number }[] = []
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const words = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '') // it ended
    const name = guestOf(words, instancesDir)
    if (name !== null) found.push({ name, pid: Number(entry) })
  }
  return found
}

/** The name of our guest in a command line whose words end in zeros; null where it is none. */
export function guestOf(words: string, instancesDir: string): string | null {
  const [program = '', ...rest] = words.split('\0')
  if (!program.includes('qemu')) return null
  const name = /^guest=([^,]+)/.exec(rest[rest.indexOf('-name') + 1] ?? '')?.[1]
  return name !== undefined && domainName.test(name) && isOurs(words, instancesDir) ? name : null
}
