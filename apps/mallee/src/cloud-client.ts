import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { XMLParser } from 'fast-xml-parser'
import { MalleeError } from '@mallee/base'
import { signRequest } from '@mallee/aws-protocol'
import type { Layout } from './layout.ts'

export interface CloudCredentials {
  readonly accountId: string
  readonly canonicalId: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export async function adminCredentials(layout: Layout): Promise<CloudCredentials> {
  return JSON.parse(await readFile(layout.file('cloud', 'credentials.json'), 'utf8')) as CloudCredentials
}

// oxlint-disable-next-line typescript/no-explicit-any -- answers of every action are read here
export type XmlAnswer = any

const parser = new XMLParser({ isArray: (name) => name === 'item', parseTagValue: false })

/** The command's own client of the cloud's public door: the same requests that anyone's tools send. */
export class AwsClient {
  private readonly layout: Layout
  private readonly credentials: CloudCredentials

  constructor(layout: Layout, credentials: CloudCredentials) {
    this.layout = layout
    this.credentials = credentials
  }

  async ec2(action: string, parameters: Record<string, string | number | boolean> = {}): Promise<XmlAnswer> {
    const form = new URLSearchParams({ Action: action, Version: '2016-11-15' })
    for (const [name, value] of Object.entries(parameters)) form.append(name, String(value))
    const body = Buffer.from(form.toString())
    const answer = await this.send({
      service: 'ec2',
      method: 'POST',
      path: '/',
      body,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    const document = parser.parse(answer.text) as Record<string, unknown>
    return Object.entries(document).find(([name]) => !name.startsWith('?'))?.[1]
  }

  /** Success when the bucket is ours already. */
  async createBucket(bucket: string): Promise<void> {
    await this.send({
      service: 's3',
      method: 'PUT',
      path: `/${bucket}`,
      body: Buffer.alloc(0),
      headers: {},
    }).catch((error: unknown) => {
      if (error instanceof MalleeError && error.code === 'BucketAlreadyOwnedByYou') return
      throw error
    })
  }

  /** Stores a file as an object, streamed; the digest of its bytes is part of the signature. */
  async putFile(bucket: string, key: string, file: string): Promise<void> {
    const hash = createHash('sha256')
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
    await this.send({
      service: 's3',
      method: 'PUT',
      path: objectPath(bucket, key),
      file: { name: file, sizeBytes: (await stat(file)).size },
      payloadHash: hash.digest('hex'),
      headers: {},
    })
  }

  async putBytes(bucket: string, key: string, body: Buffer): Promise<void> {
    await this.send({ service: 's3', method: 'PUT', path: objectPath(bucket, key), body, headers: {} })
  }

  /** The object's bytes as they come; null where there is none. */
  async getObject(bucket: string, key: string): Promise<IncomingMessage | null> {
    const path = objectPath(bucket, key)
    const response = await this.exchange({ service: 's3', method: 'GET', path, headers: {} })
    if ((response.statusCode ?? 500) < 300) return response
    return readAnswer(response).then(
      () => null,
      (error: unknown) => {
        if (error instanceof MalleeError && ['NoSuchKey', 'NoSuchBucket'].includes(error.code)) return null
        throw error
      },
    )
  }

  async deleteObject(bucket: string, key: string): Promise<void> {
    await this.send({
      service: 's3',
      method: 'DELETE',
      path: objectPath(bucket, key),
      body: Buffer.alloc(0),
      headers: {},
    })
  }

  private async send(call: Call): Promise<{ text: string }> {
    return readAnswer(await this.exchange(call))
  }

  private exchange(call: Call): Promise<IncomingMessage> {
    const port = this.layout.ports.door
    const headers: Record<string, string> = {
      ...call.headers,
      host: `${this.layout.doorAddress}:${port}`,
      'content-length': String(call.file?.sizeBytes ?? call.body?.length ?? 0),
    }
    const payloadHash =
      call.payloadHash ??
      createHash('sha256')
        .update(call.body ?? '')
        .digest('hex')
    if (call.service === 's3') headers['x-amz-content-sha256'] = payloadHash
    const signed = signRequest(
      { method: call.method, rawPath: call.path, headers, payloadHash },
      {
        credentials: this.credentials,
        region: this.layout.choices.region,
        service: call.service,
        now: new Date(),
      },
    )
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          host: this.layout.doorAddress,
          port,
          method: call.method,
          path: call.path,
          headers: { ...headers, ...signed },
          agent: false,
        },
        resolve,
      )
      sent.on('error', (cause) => {
        reject(
          new MalleeError({
            code: 'DoorAway',
            publicMessage: `The cloud does not answer at port ${port}.`,
            cause,
            retryable: true,
          }),
        )
      })
      if (call.file)
        createReadStream(call.file.name)
          .on('error', (error) => sent.destroy(error))
          .pipe(sent)
      else sent.end(call.body)
    })
  }
}

interface Call {
  readonly service: 'ec2' | 's3'
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly body?: Buffer
  readonly file?: { readonly name: string; readonly sizeBytes: number }
  readonly payloadHash?: string
}

/** As a path is signed for S3: every character but the unreserved ones is escaped, slashes excepted. */
function objectPath(bucket: string, key: string): string {
  const escaped = (text: string) =>
    encodeURIComponent(text).replaceAll(
      /[!'()*]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
    )
  return `/${bucket}/${key.split('/').map(escaped).join('/')}`
}

async function readAnswer(response: IncomingMessage): Promise<{ text: string }> {
  let text = ''
  response.setEncoding('utf8')
  for await (const chunk of response) text += chunk as string
  if ((response.statusCode ?? 500) < 300) return { text }
  const code = /<Code>([^<]*)<\/Code>/.exec(text)?.[1] ?? `Http${response.statusCode}`
  const message = /<Message>([^<]*)<\/Message>/.exec(text)?.[1] ?? 'The cloud refused the request.'
  throw new MalleeError({
    code,
    publicMessage: `${code}: ${message}`,
    retryable: (response.statusCode ?? 500) >= 500,
  })
}
