import { readdir, stat } from 'node:fs/promises'

/** The name under /run/netns of the network namespace that this process lives in, or null where it has none. */
export async function findOwnNetns(): Promise<string | null> {
  const own = await stat('/proc/self/ns/net')
  for (const name of await readdir('/run/netns').catch(() => [])) {
    const entry = await stat(`/run/netns/${name}`).catch(() => null)
    if (entry && entry.ino === own.ino && entry.dev === own.dev) return name
  }
  return null
}

/** The namespaces of NAT gateways that stand. */
export async function listNatGateways(prefix: string): Promise<string[]> {
  return (await readdir('/run/netns').catch(() => [])).filter(
    (name) => name.startsWith(prefix) && /^[0-9a-f]{12}$/.test(name.slice(prefix.length)),
  )
}

/** The router namespaces that stand, by the prefix of their names. */
export async function listRouters(prefix: string): Promise<string[]> {
  return (await readdir('/run/netns').catch(() => [])).filter(
    (name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)),
  )
}
