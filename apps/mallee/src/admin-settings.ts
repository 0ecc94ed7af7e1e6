import { readFile } from 'node:fs/promises'
import { MalleeError } from '@mallee/base'

/** Settings of a daemon that are its admin's, in `etc/NAME.json`; all others are made by this release. */
const adminsOwn: Readonly<Record<string, readonly string[]>> = {
  walrus: [
    'modernBuckets',
    'webhooks',
    'lifecycleSeconds',
    'scrubBytesPerSecond',
    'smallObjectBytes',
    'store',
    'workers',
  ],
  'storage-controller': ['driver', 'ceph'],
}

/** What `etc/NAME.json` says; nothing where there is no such file. Throws MalleeError `BadSettings`. */
export async function adminSettings(
  machine: { file(...parts: string[]): string },
  name: string,
): Promise<Record<string, unknown>> {
  const own = adminsOwn[name]
  if (!own) return {}
  const file = machine.file('etc', `${name}.json`)
  const bad = (why: string) => new MalleeError({ code: 'BadSettings', publicMessage: `${file}: ${why}.` })
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text === null) return {}
  let said: unknown
  try {
    said = JSON.parse(text)
  } catch {
    throw bad('it is not JSON')
  }
  if (typeof said !== 'object' || said === null || Array.isArray(said)) throw bad('it is not an object')
  const unknown = Object.keys(said).find((key) => !own.includes(key))
  if (unknown !== undefined) throw bad(`there is no setting ${unknown}; there are ${own.join(', ')}`)
  return said as Record<string, unknown>
}
