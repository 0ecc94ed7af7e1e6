import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { AskedByUdp } from './datagram-questions.ts'
import { run } from './program.ts'

/** Answer of an HTTP question asked from inside. */
export interface GuestAnswer {
  readonly status: number
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

/** A namespace with a small process in it that talks and listens as a guest's programs would. */
export interface TestGuest {
  readonly namespace: string
  /** Echoes what it is told over TCP; 0 finds a port. */
  listenTcp(port: number): Promise<number>
  /** Opens a connection; null where there is no answer in time, or a refusal. The number names the connection. */
  connectTcp(address: string, port: number, options?: { timeoutMs?: number }): Promise<number | null>
  /** Whether the other side still echoes on this connection; rejects where there never was such a connection. */
  echoes(connection: number, options?: { timeoutMs?: number }): Promise<boolean>
  /** Closes all connections that were opened from here. */
  hangUp(): Promise<void>
  /** Who the other side of the last accepted connection is, as seen here; each is told once. */
  takeLastPeer(): Promise<string | null>
  listenUdp(port: number): Promise<void>
  sendUdp(options: {
    address: string
    port: number
    sourcePort?: number
    sourceAddress?: string
    text: string
  }): Promise<void>
  /** All that came by UDP so far, as `address:port text`. */
  receivedUdp(): Promise<string[]>
  /** Sends every datagram back. */
  echoUdp(port: number): Promise<void>
  /** Asks who echoes, by one flow, one question after the other, until it is told to stop. */
  startAsking(options: { address: string; port: number }): Promise<void>
  stopAsking(): Promise<AskedByUdp>
  http(options: {
    method?: string
    url: string
    headers?: Record<string, string>
    timeoutMs?: number
  }): Promise<GuestAnswer | null>
  /** Answers every HTTP question with the asker's address. */
  listenHttp(host: string, port: number): Promise<void>
  /** Whether an echo request is answered within a second. */
  pings(address: string): Promise<boolean>
  /** Runs a program inside. */
  exec(file: string, args: readonly string[], input?: string): Promise<string>
  /** Runs lines of `ip -batch` inside. */
  ip(...lines: string[]): Promise<void>
  end(): Promise<void>
}

const program = path.join(import.meta.dirname, 'test-guest-main.ts')

export async function startTestGuest(namespace: string): Promise<TestGuest> {
  const enter = [`--net=/run/netns/${namespace}`]
  const child = spawn(
    'nsenter',
    [...enter, process.execPath, '--disable-warning=ExperimentalWarning', program],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  const ask = asker(child)
  const exec = (file: string, args: readonly string[], input?: string) =>
    run('nsenter', [...enter, file, ...args], input === undefined ? {} : { input })
  return {
    namespace,
    exec,
    listenTcp: (port) => ask('listenTcp', { port }),
    connectTcp: (address, port, options = {}) =>
      ask('connectTcp', { address, port, timeoutMs: 700, ...options }),
    echoes: (connection, options = {}) => ask('echoes', { connection, timeoutMs: 700, ...options }),
    hangUp: () => ask('hangUp', {}),
    takeLastPeer: () => ask('takeLastPeer', {}),
    listenUdp: (port) => ask('listenUdp', { port }),
    sendUdp: (options) => ask('sendUdp', options),
    receivedUdp: () => ask('receivedUdp', {}),
    echoUdp: (port) => ask('echoUdp', { port }),
    startAsking: (options) => ask('startAsking', options),
    stopAsking: () => ask('stopAsking', {}),
    http: (options) => ask('http', { method: 'GET', headers: {}, timeoutMs: 2_000, ...options }),
    listenHttp: (host, port) => ask('listenHttp', { host, port }),
    pings: (address) =>
      exec('busybox', ['ping', '-c', '1', '-W', '1', address]).then(
        () => true,
        () => false,
      ),
    async ip(...lines) {
      await exec('ip', ['-batch', '-'], `${lines.join('\n')}\n`)
    },
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

function asker(child: ChildProcess) {
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  let next = 0
  createInterface({ input: child.stdout! }).on('line', (line) => {
    const { id, value, error } = JSON.parse(line) as { id: number; value?: unknown; error?: string }
    const asked = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) asked?.resolve((value ?? null) as never)
    else asked?.reject(new Error(error))
  })
  child.once('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('the guest ended'))
  })
  return <T>(verb: string, options: object): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      waiting.set((next += 1), { resolve, reject })
      child.stdin!.write(`${JSON.stringify({ id: next, verb, options })}\n`)
    })
}
