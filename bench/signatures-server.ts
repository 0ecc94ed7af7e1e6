import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { AwsError, parseQueryRequest, SigningKeyCache, verifySignature } from '@mallee/aws-protocol'
import { createEc2Decoder } from '@mallee/ec2-api'

/** The two servers of `bench signatures`: one that proves and decodes what it is sent, one that only reads it. */
interface Order {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly answer: string
}

process.once('message', (order: Order) => {
  const answer = Buffer.from(order.answer)
  const decoder = createEc2Decoder()
  const signingKeys = new SigningKeyCache({})
  const secretOf = (id: string) =>
    Promise.resolve(id === order.accessKeyId ? order.secretAccessKey : undefined)

  const bare = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => reply(response, 200, answer))
  })
  const door = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      check(request, Buffer.concat(parts)).then(
        () => reply(response, 200, answer),
        (error: unknown) => reply(response, error instanceof AwsError ? error.status : 500, answer),
      )
    })
  })
  async function check(request: IncomingMessage, body: Buffer): Promise<void> {
    const [rawPath = '/', rawQuery = ''] = (request.url ?? '/').split('?')
    const signed = { method: request.method ?? '', rawPath, rawQuery, headers: request.headers, body }
    await verifySignature(signed, { dialect: 'ec2', now: new Date(), secretOf, signingKeys })
    const query = parseQueryRequest(rawQuery, body.toString('utf8'))
    decoder.decode(query.action ?? '', query.parameters)
  }
  const ports = [bare, door].map(async (server) => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as { port: number }).port
  })
  void Promise.all(ports).then((found) => process.send?.(found))
})

function reply(response: ServerResponse, status: number, body: Buffer): void {
  response.writeHead(status, { 'content-type': 'text/xml', 'content-length': body.length }).end(body)
}
