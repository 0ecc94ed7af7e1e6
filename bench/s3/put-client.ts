import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { signRequest, type Credentials } from '@mallee/aws-protocol'

/** The client of `bench s3` that writes: signs everything first, then sends it on a few connections that stay open. */
export interface PutOrder {
  readonly port: number
  readonly credentials: Credentials
  readonly bucket: string
  readonly prefix: string
  readonly count: number
  readonly sizeBytes: number
  readonly connections: number
}

export interface PutResult {
  readonly seconds: number
  /** Of each request, in milliseconds. */
  readonly took: readonly number[]
}

process.on('message', (order: PutOrder) => {
  putAll(order).then(
    (result) => process.send?.(result),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})

async function putAll(order: PutOrder): Promise<PutResult> {
  const body = randomBytes(order.sizeBytes)
  const heads = Array.from({ length: order.count }, (_value, index) => headOf(order, index))
  // A small body goes with its head in one piece, as a client with few bytes to say would send it.
  const wires = order.sizeBytes > 65_536 ? null : heads.map((head) => Buffer.concat([head, body]))
  const took: number[] = []
  let next = 0
  const began = performance.now()
  await Promise.all(
    Array.from({ length: order.connections }, () =>
      converse(
        order.port,
        (socket) => {
          if (next >= order.count) return false
          const index = next
          next += 1
          if (wires) socket.write(wires[index]!)
          else {
            socket.write(heads[index]!)
            socket.write(body)
          }
          return true
        },
        took,
      ),
    ),
  )
  return { seconds: (performance.now() - began) / 1000, took }
}

function headOf(order: PutOrder, index: number): Buffer {
  const host = `127.0.0.1:${order.port}`
  const rawPath = `/${order.bucket}/${order.prefix}${index}`
  const headers = { host, 'content-length': String(order.sizeBytes) }
  const { credentials } = order
  const signed = signRequest(
    { method: 'PUT', rawPath, headers, payloadHash: 'UNSIGNED-PAYLOAD' },
    { credentials, region: 'us-east-1', service: 's3', now: new Date() },
  )
  const lines = Object.entries({ ...headers, ...signed }).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`PUT ${rawPath} HTTP/1.1\r\n${lines.join('')}\r\n`)
}

/** One connection: the next request when the one before is answered. Answers of a PUT have no body. */
function converse(
  port: number,
  send: (socket: ReturnType<typeof connect>) => boolean,
  took: number[],
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let rest = ''
    let began = 0
    const next = () => {
      began = performance.now()
      if (!send(socket)) socket.end(() => resolve())
    }
    socket.setEncoding('latin1')
    socket.on('connect', next)
    socket.on('error', reject)
    socket.on('data', (text: string) => {
      rest += text
      if (!rest.includes('\r\n\r\n')) return
      if (!rest.startsWith('HTTP/1.1 200')) return reject(new Error(rest.slice(0, 500)))
      rest = ''
      took.push(performance.now() - began)
      next()
    })
  })
}
