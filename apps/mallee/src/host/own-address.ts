import { networkInterfaces } from 'node:os'
import { run } from '../program.ts'

interface Route {
  readonly dev?: string
  readonly prefsrc?: string
}

/** The link by which this machine reaches another; null where there is none. */
export async function linkTowards(address: string): Promise<string | null> {
  const text = await run('ip', ['-j', 'route', 'get', address]).catch(() => '[]')
  const [route] = JSON.parse(text) as Route[]
  return route?.prefsrc === undefined ? null : (route.dev ?? null)
}

/** An address of this machine that others are likely to reach: the one it would speak to strangers with. */
export async function reachableAddress(): Promise<string> {
  const text = await run('ip', ['-j', 'route', 'show', 'default']).catch(() => '[]')
  const [route] = JSON.parse(text) as Route[]
  if (route?.prefsrc !== undefined) return route.prefsrc
  const links = networkInterfaces()
  const candidates = Object.entries(links).flatMap(([name, entries]) =>
    (entries ?? [])
      .filter((entry) => entry.family === 'IPv4' && !entry.internal)
      .map((entry) => ({ name, address: entry.address })),
  )
  const onDefault = candidates.find((entry) => entry.name === route?.dev)
  // The link to an embedded node is a /32 of the public pool, and nobody's way to us.
  const elsewhere = candidates.find((entry) => !/^ml[0-9a-f]{6}h$/.test(entry.name))
  return (onDefault ?? elsewhere)?.address ?? '127.0.0.1'
}
