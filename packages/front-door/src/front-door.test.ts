import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLog } from '@mallee/base'
import { parseFrontDoorConfig } from './config.ts'
import { chooseUpstream } from './choose-upstream.ts'
import { createFrontDoor, type FrontDoor } from './front-door.ts'

let dir: string
let cloud: Server
let walrus: Server
let door: FrontDoor
let url: URL
let onCloud: RequestListener
let onWalrus: RequestListener

const listen = (server: Server, at: object) =>
  new Promise<void>((resolve) => {
    server.listen(at, resolve)
  })

const drained = async (stream: AsyncIterable<Buffer>) => {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const echo =
  (name: string): RequestListener =>
  async (request, response) => {
    const body = await drained(request)
    response.setHeader('x-upstream', name)
    response.end(
      JSON.stringify({
        name,
        method: request.method,
        url: request.url,
        raw: request.rawHeaders,
        body: body.toString(),
      }),
    )
  }

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'mallee-door-'))
  onCloud = echo('cloud')
  onWalrus = echo('walrus')
  cloud = createServer((request, response) => onCloud(request, response))
  walrus = createServer((request, response) => onWalrus(request, response))
  const socketPath = path.join(dir, 'cloud.sock')
  await listen(cloud, { path: socketPath })
  await listen(walrus, { port: 0, host: '127.0.0.1' })
  const config = parseFrontDoorConfig({
    listen: { host: '127.0.0.1', port: 0 },
    cloud: { socketPath },
    walrus: { host: '127.0.0.1', port: (walrus.address() as AddressInfo).port },
  })
  door = createFrontDoor(config, { log: silentLog })
  url = new URL(await door.listen(config.listen))
})

afterEach(async () => {
  await door.close()
  for (const server of [cloud, walrus]) {
    server.closeAllConnections()
    server.close()
  }
  await rm(dir, { recursive: true, force: true })
})

function ask(
  options: { method?: string; path?: string; headers?: Record<string, string | string[]>; setHost?: boolean },
  body?: Buffer | string,
) {
  return new Promise<{ status: number; headers: IncomingMessage['headers']; body: Buffer }>(
    (resolve, reject) => {
      const outgoing = httpRequest(
        { host: url.hostname, port: url.port, agent: false, ...options },
        (incoming) => {
          drained(incoming).then(
            (bytes) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: bytes }),
            reject,
          )
        },
      )
      outgoing.on('error', reject)
      outgoing.end(body)
    },
  )
}

/** Bytes as they are, for requests that no client would make; answers all that came back. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname, () => socket.write(text))
    let seen = ''
    socket.on('data', (chunk) => (seen += chunk.toString()))
    socket.on('close', () => resolve(seen))
    socket.on('error', reject)
  })
}

const scope = (service: string) =>
  `AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=00`

describe('the front door chooses', () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }
  const cases: [string, string, string, Record<string, string>][] = [
    ['cloud', 'POST', '/', { authorization: scope('ec2'), ...form }],
    ['cloud', 'POST', '/', { authorization: scope('sts') }],
    ['cloud', 'POST', '/', { authorization: scope('iam') }],
    ['cloud', 'POST', '/', { authorization: scope('cloudtrail') }],
    ['cloud', 'POST', '/', { authorization: scope('servicequotas') }],
    ['walrus', 'POST', '/?Action=x', { authorization: scope('s3') }],
    ['walrus', 'GET', '/', { authorization: scope('s3') }],
    ['cloud', 'POST', '/snapshots', { authorization: scope('ebs') }],
    ['cloud', 'POST', '/snapshots/completion/snap-1', { authorization: scope('ebs') }],
    ['walrus', 'GET', '/snapshots/snap-1/blocks?maxResults=100', { authorization: scope('ebs') }],
    ['walrus', 'GET', '/snapshots/snap-1/changedblocks', { authorization: scope('ebs') }],
    ['walrus', 'PUT', '/snapshots/snap-1/blocks/0', { authorization: scope('ebs') }],
    ['walrus', 'POST', '/snapshots?delete', { authorization: scope('s3') }],
    ['walrus', 'POST', '/snapshots/completion/key?uploads', { authorization: scope('s3') }],
    ['cloud', 'POST', '/snapshots', { host: 'ebs.cloud.example:8773' }],
    [
      'cloud',
      'GET',
      '/?Action=DescribeRegions&X-Amz-Credential=A%2F20260101%2Fus-east-1%2Fec2%2Faws4_request',
      {},
    ],
    ['walrus', 'GET', '/b/k?X-Amz-Credential=A%2f20260101%2fus-east-1%2fs3%2faws4_request&Action=x', {}],
    ['walrus', 'GET', '/services/objectstorage/b/k', {}],
    ['walrus', 'GET', '/services/Walrus', {}],
    ['cloud', 'GET', '/services/Walrusses', {}],
    ['walrus', 'GET', '/SERVICES/WALRUS/b', {}],
    ['cloud', 'POST', '/services/Empyrean/', { authorization: scope('bootstrap') }],
    ['cloud', 'POST', '/', { authorization: scope('properties') }],
    ['cloud', 'POST', '/Services/properties', {}],
    ['cloud', 'POST', '/services/Eucalyptus', { 'content-type': 'text/xml', soapaction: '""' }],
    ['cloud', 'POST', '/', { 'content-type': 'text/xml', soapaction: '""' }],
    ['cloud', 'GET', '/?wsdl', {}],
    ['walrus', 'GET', '/bucket?wsdl', {}],
    ['cloud', 'GET', '/services/compute/?wsdl', {}],
    ['cloud', 'GET', '/', { Host: 'ec2.cloud.example:8773' }],
    ['walrus', 'GET', '/b/k', { Host: 'ec2.cloud.example', authorization: 'AWS AKIA:c2lnbmF0dXJl' }],
    ['walrus', 'POST', '/', { Host: 's3.cloud.example:8773', ...form }],
    ['walrus', 'GET', '/key', { Host: 'ec2.objectstorage.cloud.example' }],
    ['walrus', 'GET', '/key', { Host: 'my.bucket.s3.us-east-1.example' }],
    ['cloud', 'POST', '/services/compute', { authorization: scope('127') }],
    ['cloud', 'GET', '/services/Euare?Action=x', {}],
    ['walrus', 'GET', '/bucket/key', { authorization: 'AWS AKIA:c2lnbmF0dXJl' }],
    ['cloud', 'GET', '/?Version=1&Action=DescribeRegions', {}],
    ['cloud', 'POST', '/', form],
    ['walrus', 'PUT', '/bucket/key', {}],
    ['walrus', 'HEAD', '/bucket', {}],
    ['walrus', 'DELETE', '/bucket/key', {}],
    ['walrus', 'POST', '/bucket?delete', {}],
  ]
  it.each(cases)('%s for %s %s', async (name, method, target, headers) => {
    const answer = await ask({ method, path: target, headers })
    expect(answer.headers['x-upstream']).toBe(name)
  })

  it('at once, however the header is made', () => {
    const authorization = `AWS4-HMAC-SHA256 ${'Credential=/'.repeat(5000)}`
    const began = performance.now()
    expect(chooseUpstream({ method: 'GET', url: '/', headers: { authorization } })).toBe('walrus')
    expect(performance.now() - began).toBeLessThan(100)
  })

  it('itself for its health', async () => {
    expect((await ask({ path: '/healthz' })).status).toBe(200)
  })
})

describe('the front door passes', () => {
  it('path, query, Host and headers untouched, and the address of the client', async () => {
    const headers = {
      Host: 'my.Cloud.example:8773',
      'X-Amz-Meta-A': 'ü'.normalize(),
      'x-mallee-source': '10.9.8.7',
      'x-mallee-secure': 'true',
      Connection: 'x-private, host, x-amz-date',
      'X-Private': '1',
      'x-amz-date': 'now',
      authorization: scope('s3'),
    }
    const answer = await ask({ path: '/a%2Fb//c/../d?x=%41+b&&', headers })
    const seen = JSON.parse(answer.body.toString()) as { url: string; raw: string[] }
    expect(seen.url).toBe('/a%2Fb//c/../d?x=%41+b&&')
    const pairs = seen.raw.flatMap((name, at) => (at % 2 === 0 ? [[name, seen.raw[at + 1]]] : []))
    expect(pairs).toContainEqual(['Host', 'my.Cloud.example:8773'])
    expect(pairs).toContainEqual(['x-amz-date', 'now'])
    expect(pairs.filter(([name]) => name?.toLowerCase() === 'x-mallee-source')).toEqual([
      ['x-mallee-source', '127.0.0.1'],
    ])
    expect(pairs.filter(([name]) => name?.toLowerCase() === 'x-mallee-secure')).toEqual([
      ['x-mallee-secure', 'false'],
    ])
    expect(pairs.some(([name]) => name === 'X-Private')).toBe(false)
  })

  it('big bodies both ways, without holding them', async () => {
    const data = randomBytes(32 * 1024 * 1024)
    onWalrus = (request, response) => void request.pipe(response)
    const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
    for (const headers of [{ 'content-length': String(data.length) }, { 'transfer-encoding': 'chunked' }]) {
      const answer = await ask(
        { method: 'PUT', path: '/b/k', headers: headers as Record<string, string> },
        data,
      )
      expect(digest(answer.body)).toBe(digest(data))
    }
  })

  it('an answer that comes before the body was read', async () => {
    onWalrus = (_request, response) => void response.writeHead(403).end('no')
    const data = Buffer.alloc(16 * 1024 * 1024)
    const answer = await ask(
      { method: 'PUT', path: '/b/k', headers: { 'content-length': String(data.length) } },
      data,
    )
    expect([answer.status, answer.body.toString()]).toEqual([403, 'no'])
  })

  it('the decision of the service about a body that waits', async () => {
    walrus.on('checkContinue', (request: IncomingMessage, response) => {
      if (request.url === '/refused') return void response.writeHead(403, { connection: 'close' }).end()
      response.writeContinue()
      onWalrus(request, response)
    })
    const waiting = (target: string) =>
      new Promise<{ status: number; continued: boolean }>((resolve, reject) => {
        let continued = false
        const outgoing = httpRequest(
          {
            host: url.hostname,
            port: url.port,
            path: target,
            method: 'PUT',
            agent: false,
            headers: { expect: '100-continue', 'content-length': '5' },
          },
          (incoming) => {
            incoming.resume()
            resolve({ status: incoming.statusCode ?? 0, continued })
          },
        )
        outgoing.on('error', reject)
        outgoing.on('continue', () => {
          continued = true
          outgoing.end('12345')
        })
        outgoing.flushHeaders()
      })
    expect(await waiting('/accepted')).toEqual({ status: 200, continued: true })
    expect(await waiting('/refused')).toEqual({ status: 403, continued: false })
  })
})

describe('the front door ends', () => {
  it('the service’s side when the client goes away', async () => {
    const ended = new Promise<boolean>((resolve) => {
      onWalrus = (request) => {
        request.on('close', () => resolve(request.complete))
        request.resume()
      }
    })
    const socket = connect(Number(url.port), url.hostname)
    socket.write('PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nsome')
    await new Promise((resolve) => walrus.once('request', resolve))
    socket.destroy()
    expect(await ended).toBe(false)
  })

  it('the client’s side when the service goes away in the middle', async () => {
    onWalrus = (request, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('some', () => request.socket.destroy())
    }
    await expect(ask({ path: '/b/k' })).rejects.toThrow()
  })

  it('with an error that the client can read when the service is not there', async () => {
    cloud.close()
    walrus.close()
    const ofCloud = await ask({ method: 'POST', headers: { authorization: scope('ec2') } }, 'Action=x')
    expect([ofCloud.status, ofCloud.body.toString()]).toEqual([
      503,
      expect.stringContaining('<Response><Errors><Error><Code>Unavailable</Code>'),
    ])
    const ofWalrus = await ask({ path: '/b/k' })
    expect([ofWalrus.status, ofWalrus.body.toString()]).toEqual([
      503,
      expect.stringContaining('<Error><Code>ServiceUnavailable</Code>'),
    ])
  })

  it('a kept connection that the service has closed, without an error', async () => {
    expect((await ask({ path: '/1' })).status).toBe(200)
    walrus.closeAllConnections()
    expect((await ask({ path: '/2' })).status).toBe(200)
  })
})

describe('the front door refuses', () => {
  const end = '\r\nConnection: close\r\n\r\n'
  it.each([
    [
      'a length and chunks',
      `PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked${end}0\r\n\r\n`,
    ],
    ['two lengths', `PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6${end}hello`],
    [
      'the same length twice',
      `PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5${end}hello`,
    ],
    ['another coding', `PUT /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked${end}0\r\n\r\n`],
    ['an obscured coding', `PUT /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked${end}0\r\n\r\n`],
    ['a length with a sign', `PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: +5${end}hello`],
    ['two hosts', `GET /b HTTP/1.1\r\nHost: x\r\nHost: y${end}`],
    ['a whole address in place of a path', `GET http://other/b HTTP/1.1\r\nHost: x${end}`],
    ['a folded header', `GET /b HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n 2: 3\r\nContent Length: 5${end}`],
  ])('%s', async (_name, text) => {
    let reached = false
    onWalrus = (_request, response) => {
      reached = true
      response.end()
    }
    expect(await raw(text)).toMatch(/^HTTP\/1\.1 400 /)
    expect(reached).toBe(false)
  })

  it('headers without end', async () => {
    expect(await raw(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(80_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 /,
    )
  })
})
