import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { SignedPayload } from '@mallee/aws-protocol'
import { RequestBody } from './request-body.ts'

let server: Server
beforeEach(async () => {
  server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

const plain: SignedPayload = { kind: 'unsigned' }
const chunked: SignedPayload = { kind: 'chunked', signed: false, trailer: false, chunkSignatures: undefined }

const chunkedHeaders = (bytes: number, decodedBytes: number) => ({
  'content-length': bytes,
  'x-amz-decoded-content-length': decodedBytes,
})

/** A PUT whose client hangs up before anybody has read of its body. */
async function hungUpOn(headers: Record<string, string | number>, sent: string): Promise<IncomingMessage> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const lines = Object.entries({ host: 'walrus', ...headers }).map(([name, value]) => `${name}: ${value}`)
  socket.write(`PUT /bucket/key HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${sent}`)
  const [message] = (await once(server, 'request')) as [IncomingMessage]
  const closed = new Promise((resolve) => void message.once('close', resolve))
  message.on('error', () => {})
  socket.destroy()
  await closed
  return message
}

const bodyOf = (message: IncomingMessage, payload: SignedPayload) =>
  new RequestBody({ message, payload, sendContinue: () => {} })

describe('a client that hung up while others were asked about its request', () => {
  test.each([
    ['in the middle of few bytes', { 'content-length': 100 }, 'abc', plain],
    ['when all of them had come', { 'content-length': 3 }, 'abc', plain],
    ['in the middle of a chunk', chunkedHeaders(112, 100), '64\r\nabc', chunked],
    ['when all chunks had come', chunkedHeaders(13, 3), '3\r\nabc\r\n0\r\n\r\n', chunked],
  ] as const)('is not waited for: %s', async (_when, headers, sent, payload) => {
    const whole = bodyOf(await hungUpOn(headers, sent), payload).whole()
    await expect(whole).rejects.toMatchObject({ code: 'IncompleteBody' })
    const piecewise = bodyOf(await hungUpOn(headers, sent), payload).document()
    await expect(piecewise).rejects.toMatchObject({ code: 'IncompleteBody' })
  })
})
