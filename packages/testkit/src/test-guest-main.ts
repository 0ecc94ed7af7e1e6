/** The process inside a test guest: one question a line on standard input, one answer a line on standard output. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer as createHttpServer, request } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { listenForQuestions, startAsking } from './datagram-questions.ts'

const connections = new Map<number, Socket>()
const datagrams: string[] = []
const udpSockets = new Map<number, UdpSocket>()
let connected = 0
let lastPeer: string | null = null
let asking: ReturnType<typeof startAsking> | null = null

const verbs: Record<string, (options: never) => Promise<unknown>> = {
  listenTcp: ({ port }: { port: number }) =>
    new Promise((resolve, reject) => {
      const server = createServer((socket) => {
        lastPeer = socket.remoteAddress ?? null
        socket.on('error', () => socket.destroy())
        socket.pipe(socket)
      })
      server.on('error', reject)
      server.listen(port, '0.0.0.0', () => resolve((server.address() as { port: number }).port))
    }),

  connectTcp: ({ address, port, timeoutMs }: { address: string; port: number; timeoutMs: number }) =>
    new Promise((resolve) => {
      const socket = connect({ host: address, port })
      const timer = setTimeout(() => settle(null), timeoutMs)
      const settle = (value: number | null) => {
        clearTimeout(timer)
        if (value === null) socket.destroy()
        resolve(value)
      }
      socket.on('error', () => settle(null))
      socket.on('connect', () => {
        connections.set((connected += 1), socket)
        settle(connected)
      })
    }),

  echoes: ({ connection, timeoutMs }: { connection: number; timeoutMs: number }) =>
    new Promise((resolve, reject) => {
      const socket = connections.get(connection)
      if (!socket) return reject(new Error('no such connection'))
      const settle = (value: boolean) => {
        clearTimeout(timer)
        socket.off('data', heard)
        resolve(value)
      }
      const heard = () => settle(true)
      const timer = setTimeout(() => settle(false), timeoutMs)
      socket.on('data', heard)
      if (socket.destroyed) settle(false)
      else socket.write('echo?')
    }),

  async hangUp() {
    for (const socket of connections.values()) socket.destroy()
    connections.clear()
  },

  async takeLastPeer() {
    const taken = lastPeer
    lastPeer = null
    return taken
  },

  listenUdp: async ({ port }: { port: number }) => {
    await udpSocket(port)
  },

  async sendUdp(options: {
    address: string
    port: number
    sourcePort?: number
    sourceAddress?: string
    text: string
  }) {
    const socket = await udpSocket(options.sourcePort ?? 0, options.sourceAddress)
    await new Promise<void>((resolve) => {
      // What the kernel refuses to send is not sent: tests look at what arrives.
      socket.send(options.text, options.port, options.address, () => resolve())
    })
  },

  receivedUdp: () => Promise.resolve(datagrams),

  echoUdp: ({ port }: { port: number }) => listenForQuestions(port),
  async startAsking(options: { address: string; port: number }) {
    asking = startAsking(options)
  },
  async stopAsking() {
    const stopped = await asking?.stop()
    asking = null
    return stopped
  },

  listenHttp: ({ host, port }: { host: string; port: number }) =>
    new Promise<void>((resolve, reject) => {
      const server = createHttpServer((asked, answer) => answer.end(asked.socket.remoteAddress))
      server.on('error', reject)
      server.listen(port, host, () => resolve())
    }),

  http: (options: { method: string; url: string; headers: Record<string, string>; timeoutMs: number }) =>
    new Promise((resolve) => {
      const { method, headers, timeoutMs } = options
      const asked = request(options.url, { method, headers, agent: false }, (answer) => {
        let body = ''
        answer.setEncoding('utf8')
        answer.on('data', (chunk: string) => (body += chunk))
        answer.on('end', () => resolve({ status: answer.statusCode, body, headers: answer.headers }))
      })
      asked.setTimeout(timeoutMs, () => asked.destroy())
      setTimeout(() => asked.destroy(), timeoutMs).unref()
      asked.on('error', () => resolve(null))
      asked.end()
    }),
}

function udpSocket(port: number, address?: string): Promise<UdpSocket> {
  const known = udpSockets.get(port)
  if (known && port !== 0 && address === undefined) return Promise.resolve(known)
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    socket.on('message', (text, from) => datagrams.push(`${from.address}:${from.port} ${text.toString()}`))
    socket.on('error', reject)
    socket.bind(port, address, () => {
      socket.setBroadcast(true)
      if (address === undefined) udpSockets.set(port, socket)
      resolve(socket)
    })
  })
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, verb, options } = JSON.parse(line) as { id: number; verb: string; options: never }
  const say = (answer: object) => process.stdout.write(`${JSON.stringify({ id, ...answer })}\n`)
  verbs[verb]!(options).then(
    (value) => say({ value }),
    (error: unknown) => say({ error: String(error) }),
  )
})
process.stdin.on('end', () => process.exit(0))
