import { readFile } from 'node:fs/promises'
import { request, type ClientRequest } from 'node:http'
import path from 'node:path'
import { signRequest, type Credentials } from '@mallee/aws-protocol'
import type { CrashCloud } from '../crash/crash-cloud.ts'

export interface S3Answer {
  readonly status: number
  readonly text: string
}

/** One signed request to walrus, with a query; `send` may take its time over the body. Null where no answer came. */
export async function s3Call(
  world: CrashCloud,
  call: { method: string; path: string; query?: string; body?: Buffer },
  send: (asking: ClientRequest) => Promise<unknown> | unknown = (asking) => asking.end(call.body),
): Promise<S3Answer | null> {
  const file = path.join(world.dir, 'cloud', 'credentials.json')
  const credentials = JSON.parse(await readFile(file, 'utf8')) as Credentials
  const body = call.body ?? Buffer.alloc(0)
  const headers = { host: `127.0.0.1:${world.ports.walrus}` }
  const signed = signRequest(
    { method: call.method, rawPath: call.path, rawQuery: call.query ?? '', headers, body },
    { credentials, region: 'us-east-1', service: 's3', now: new Date() },
  )
  return new Promise((resolve, reject) => {
    const asking = request({
      host: '127.0.0.1',
      port: world.ports.walrus,
      method: call.method,
      path: call.query === undefined ? call.path : `${call.path}?${call.query}`,
      agent: false,
      timeout: 20_000,
      headers: { ...headers, ...signed, 'content-length': body.length },
    })
    asking.on('timeout', () => asking.destroy())
    asking.on('error', () => resolve(null))
    asking.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', () => resolve(null))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      )
    })
    Promise.resolve(send(asking)).catch(reject)
  })
}
