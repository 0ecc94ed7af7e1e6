import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestGuest } from './test-guest.ts'

/** What the test's outside calls itself, and where that is. */
export const outsideName = { name: 'www.outside.example', address: '203.0.113.9' } as const

/** A name server of the outside at this address of a test guest: it knows one name, and refuses all others. */
export async function serveNames(guest: TestGuest, address: string): Promise<() => Promise<void>> {
  const own = ['-k', '--conf-file=/dev/null', '--pid-file=', '--user=root', '--log-facility=-']
  const { name, address: at } = outsideName
  const answers = ['--no-resolv', '--no-hosts', `--host-record=${name},${at}`]
  const listen = ['--bind-interfaces', `--listen-address=${address}`]
  const within = [`--net=/run/netns/${guest.namespace}`, 'dnsmasq']
  const child = spawn('nsenter', [...within, ...own, ...answers, ...listen], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  // It says that it has started when it listens.
  await Promise.race([
    once(child.stderr, 'data'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the name server of the outside ended with ${code}`)
    }),
  ])
  child.stderr.resume()
  return async () => {
    child.kill('SIGTERM')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
}
