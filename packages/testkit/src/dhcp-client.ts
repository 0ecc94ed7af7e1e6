import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestGuest } from './test-guest.ts'

export interface TestLease {
  readonly address: string
  readonly prefixLength: number
  readonly router: string
  readonly dns: string
  readonly mtu: string
  readonly domain: string
  readonly hostname: string
}

const script = `#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr replace $ip/$mask dev $interface
ip route replace default via $router
echo "LEASE $ip|$mask|$router|$dns|$mtu|$domain|$hostname"
`

/** Asks for an address as a guest's system would, and sets it; null where nobody gives one. */
export async function leaseByDhcp(guest: TestGuest): Promise<TestLease | null> {
  const dir = await mkdtemp(path.join(tmpdir(), 'udhcpc-'))
  const file = path.join(dir, 'script')
  try {
    await writeFile(file, script, { mode: 0o755 })
    const asked = ['-O', 'mtu', '-O', 'domain', '-O', 'hostname']
    const how = ['-i', 'eth0', '-f', '-n', '-q', '-t', '2', '-T', '1', '-s', file]
    const said = await guest.exec('busybox', ['udhcpc', ...how, ...asked]).catch(() => '')
    const values = /^LEASE (.*)$/m.exec(said)?.[1]?.split('|')
    if (!values) return null
    const [address, mask, router, dns, mtu, domain, hostname] = values as [string, ...string[]]
    return {
      address,
      prefixLength: Number(mask),
      router: router ?? '',
      dns: dns ?? '',
      mtu: mtu ?? '',
      domain: domain ?? '',
      hostname: hostname ?? '',
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
