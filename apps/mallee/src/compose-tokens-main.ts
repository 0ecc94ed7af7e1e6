import { chmod, mkdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { adminCall, type CloudStatus } from './admin-client.ts'
import { waitFor } from './wait-for.ts'

/**
 * Buys the local agents of a composed cloud their join tokens: `compose-tokens-main.ts ADMIN-SOCKET DIR`. Each gets a file of
 * its own, once; a marker remembers it, because an agent removes its token when it has joined.
 */
const [socket, dir] = process.argv.slice(2)
if (socket === undefined || dir === undefined) {
  process.stderr.write('usage: compose-tokens-main.ts ADMIN-SOCKET DIR\n')
  process.exit(2)
}
const answerMs = 120_000
await mkdir(dir, { recursive: true, mode: 0o700 })
for (const kind of ['walrus', 'storage', 'node'] as const) {
  const marker = path.join(dir, `.${kind}-given`)
  if (await stat(marker).catch(() => null)) continue
  const { availabilityZones } = await waitFor(
    () => adminCall<CloudStatus>(socket, 'GET', '/admin/v1/status'),
    { timeoutMs: answerMs, failure: 'the cloud controller does not answer' },
  )
  const { token } = await adminCall<{ token: string }>(socket, 'POST', '/admin/v1/tokens', {
    kind,
    availabilityZone: availabilityZones[0],
  })
  await writeFile(path.join(dir, kind), token, { mode: 0o600 })
  await writeFile(marker, '')
  await chmod(marker, 0o600)
}
process.stdout.write('every local agent has its token\n')
