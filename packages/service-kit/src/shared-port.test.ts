import { createServer, request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import { createAuthority, issueCertificate } from '@mallee/pki'
import { createSharedPort } from './shared-port.ts'

test('one port answers HTTP and HTTPS, and drops what is neither', async () => {
  const authority = await createAuthority('Test', Date.now())
  const own = await issueCertificate({
    authority,
    commonName: 'x',
    names: { ip: ['127.0.0.1'] },
    nowMs: Date.now(),
  })
  const http = createServer((req, res) => res.end(`${(req.socket as TLSSocket).encrypted === true}`))
  const port = createSharedPort({ http, tls: { key: own.key, cert: own.certificate } })
  port.listen(0, '127.0.0.1')
  await once(port, 'listening')
  const options = {
    host: '127.0.0.1',
    port: (port.address() as AddressInfo).port,
    agent: false as const,
    ca: authority.certificate,
  }
  const body = (req: ReturnType<typeof request>) =>
    new Promise<string>((resolve, reject) => {
      req.on('error', reject)
      req.on('response', (res) => res.setEncoding('utf8').on('data', resolve))
      req.end()
    })
  expect(await body(request(options))).toBe('false')
  expect(await body(secureRequest(options))).toBe('true')
  const stray = connect(options.port, options.host)
  stray.write(Buffer.from([0x16, 0xff, 0xff, 0, 1, 2, 3, 4, 5, 6, 7, 8]))
  await once(stray, 'close')
  port.close()
  http.closeAllConnections()
})
