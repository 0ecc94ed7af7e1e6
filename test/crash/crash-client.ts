import { request, type IncomingMessage } from 'node:http'
import { XMLParser } from 'fast-xml-parser'
import { signRequest, type Credentials } from '@mallee/aws-protocol'

export interface CallAnswer {
  readonly status: number
  readonly bytes: Buffer
  readonly text: string
  /** Members of the answer's root element. */
  // oxlint-disable-next-line typescript/no-explicit-any -- answers of every action are read here
  readonly xml: any
}

const parser = new XMLParser({ isArray: (name) => name === 'item', parseTagValue: false })
const longestMs = 20_000

/** A client that signs as SDKs do, asks once, and tells an answer from a connection that broke. */
export class CrashClient {
  private readonly options: { credentials: Credentials; cloudPort: number; walrusPort: number }

  constructor(options: CrashClient['options']) {
    this.options = options
  }

  /** `probe`: a question of the harness, which is no part of the workflow under test. */
  ec2(
    action: string,
    parameters: Record<string, string | number> = {},
    probe = false,
  ): Promise<CallAnswer | null> {
    const form = new URLSearchParams({ Action: action, Version: '2016-11-15' })
    for (const [name, value] of Object.entries(parameters)) form.append(name, String(value))
    return this.send({
      service: 'ec2',
      port: this.options.cloudPort,
      method: 'POST',
      path: '/',
      body: Buffer.from(form.toString()),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      probe,
    })
  }

  s3(
    method: string,
    path: string,
    body: Buffer = Buffer.alloc(0),
    probe = false,
  ): Promise<CallAnswer | null> {
    const port = this.options.walrusPort
    return this.send({ service: 's3', port, method, path, body, headers: {}, probe })
  }

  /** Null when there was no whole answer: what was asked may have happened or not. */
  private send(call: {
    service: string
    port: number
    method: string
    path: string
    body: Buffer
    headers: Record<string, string>
    probe: boolean
  }): Promise<CallAnswer | null> {
    const headers = { ...call.headers, host: `127.0.0.1:${call.port}` }
    const signed = signRequest(
      { method: call.method, rawPath: call.path, headers, body: call.body },
      {
        credentials: this.options.credentials,
        region: 'us-east-1',
        service: call.service,
        now: new Date(),
      },
    )
    return new Promise((resolve) => {
      const asking = request({
        host: '127.0.0.1',
        port: call.port,
        method: call.method,
        path: call.path,
        agent: false,
        timeout: longestMs,
        headers: {
          ...headers,
          ...signed,
          'content-length': call.body.length,
          ...(call.probe ? { 'x-crash-ignore': '1' } : {}),
        },
      })
      asking.on('timeout', () => asking.destroy())
      asking.on('error', () => resolve(null))
      asking.on('response', (response) => {
        readWhole(response).then(resolve, () => resolve(null))
      })
      asking.end(call.body)
    })
  }
}

async function readWhole(response: IncomingMessage): Promise<CallAnswer> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  if (!response.complete) throw new Error('cut off')
  const bytes = Buffer.concat(chunks)
  const text = bytes.toString('utf8')
  const xml = text.trimStart().startsWith('<') ? (parser.parse(text) as Record<string, unknown>) : {}
  const members = Object.entries(xml).find(([name]) => !name.startsWith('?'))?.[1]
  return { status: response.statusCode ?? 0, bytes, text, xml: members }
}
