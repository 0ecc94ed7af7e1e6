import { createHash } from 'node:crypto'
import { Agent, request, type Dispatcher } from 'undici'
import { MalleeError, secondMs, type Clock } from '@mallee/base'
import { emptySha256, sha256Hex, signRequest, uriEncode } from '@mallee/aws-protocol'
import { parseXmlBody, type XmlElement } from '@mallee/s3-api'

/** Where another S3 is, and who we are there. */
export interface RemoteSettings {
  /** `https://host:port`, with a path where it serves S3 under one. */
  readonly endpoint: string
  readonly region: string
  readonly bucket: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** PEM, where its certificate is of an authority that the machine does not know. */
  readonly ca?: string
}

export interface RemoteObject {
  readonly key: string
  readonly sizeBytes: number
  readonly changedAtMs: number
}

interface Ask {
  readonly method: string
  readonly key?: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
}

const tries = 4
const firstPauseMs = 200
const answerMs = 60 * secondMs
/** An answer that is a document has at most so many bytes. */
const documentBytes = 8 * 1024 * 1024
const fullCodes = new Set(['InsufficientStorage', 'QuotaExceeded', 'XMinioStorageFull', 'EntityTooLarge'])

/**
 * The few calls of S3 that a store of bytes needs, in words that every S3 understands: path style, Version 4 signatures,
 * Content-MD5. A call that met a fault on the way is made again: each is harmless when repeated.
 */
export class RemoteBucket {
  private readonly settings: RemoteSettings
  private readonly clock: Clock
  private readonly dispatcher: Agent
  private readonly base: URL

  constructor(settings: RemoteSettings, clock: Clock) {
    this.settings = settings
    this.clock = clock
    this.base = new URL(settings.endpoint)
    this.dispatcher = new Agent({
      headersTimeout: answerMs,
      bodyTimeout: answerMs,
      connect: { ...(settings.ca === undefined ? {} : { ca: settings.ca }) },
    })
  }

  async put(key: string, body: Buffer, headers: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.answer({ method: 'PUT', key, body, headers: { ...headers, ...sumOf(body) } })
  }

  /** The bytes from `start` to before `end`; null where there is no such object. */
  async get(key: string, start: number, end: number): Promise<AsyncIterable<Buffer> | null> {
    const headers = { range: `bytes=${start}-${end - 1}` }
    const found = await this.try({ method: 'GET', key, headers })
    if (found.statusCode === 404) {
      await found.body.dump()
      return null
    }
    if (found.statusCode === 206 || (found.statusCode === 200 && start === 0)) return found.body
    throw await this.fault(found)
  }

  /** A small object whole; null where there is none. */
  async text(key: string): Promise<string | null> {
    const found = await this.try({ method: 'GET', key })
    if (found.statusCode === 200) return found.body.text()
    if (found.statusCode !== 404) throw await this.fault(found)
    await found.body.dump()
    return null
  }

  async head(key: string): Promise<{ changedAtMs: number } | null> {
    const found = await this.try({ method: 'HEAD', key })
    await found.body.dump()
    if (found.statusCode === 404) return null
    if (found.statusCode !== 200) throw unavailable(`HEAD was answered ${found.statusCode}`)
    return { changedAtMs: Date.parse(String(found.headers['last-modified'])) }
  }

  /** Harmless where there is no such object. */
  async remove(key: string): Promise<void> {
    await this.answer({ method: 'DELETE', key }, [404])
  }

  async *list(prefix: string): AsyncGenerator<RemoteObject> {
    let token: string | undefined
    do {
      const query = {
        'list-type': '2',
        prefix,
        ...(token === undefined ? {} : { 'continuation-token': token }),
      }
      const page = await this.document({ method: 'GET', query })
      for (const element of childrenOf(page, 'Contents'))
        yield {
          key: textOf(element, 'Key'),
          sizeBytes: Number(textOf(element, 'Size')),
          changedAtMs: Date.parse(textOf(element, 'LastModified')),
        }
      token = textOf(page, 'IsTruncated') === 'true' ? textOf(page, 'NextContinuationToken') : undefined
    } while (token !== undefined)
  }

  async createUpload(key: string): Promise<string> {
    return textOf(await this.document({ method: 'POST', key, query: { uploads: '' } }), 'UploadId')
  }

  /** Answers the part's ETag. */
  async uploadPart(key: string, uploadId: string, number: number, body: Buffer): Promise<string> {
    const query = { partNumber: String(number), uploadId }
    const found = await this.answer({ method: 'PUT', key, query, body, headers: sumOf(body) })
    return String(found.headers['etag'] ?? '')
  }

  async completeUpload(key: string, uploadId: string, etags: readonly string[]): Promise<void> {
    const parts = etags.map(
      (etag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
    )
    const body = Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`)
    const done = await this.document({ method: 'POST', key, query: { uploadId }, body })
    // This one call may say 200 first and what went wrong afterwards.
    if (done.name === 'Error') throw unavailable(textOf(done, 'Code'))
  }

  async abortUpload(key: string, uploadId: string): Promise<void> {
    await this.answer({ method: 'DELETE', key, query: { uploadId } }, [404])
  }

  async listUploads(prefix: string): Promise<{ key: string; uploadId: string; startedAtMs: number }[]> {
    const page = await this.document({ method: 'GET', query: { uploads: '', prefix } })
    return childrenOf(page, 'Upload').map((element) => ({
      key: textOf(element, 'Key'),
      uploadId: textOf(element, 'UploadId'),
      startedAtMs: Date.parse(textOf(element, 'Initiated')),
    }))
  }

  close(): Promise<void> {
    return this.dispatcher.close()
  }

  private async document(ask: Ask): Promise<XmlElement> {
    const found = await this.answer(ask)
    const text = await found.body.text()
    if (text.length > documentBytes) throw unavailable('its answer is too long')
    return parseXmlBody(text)
  }

  /** A good answer, or one of the statuses that are as good. */
  private async answer(ask: Ask, alsoGood: readonly number[] = []): Promise<Dispatcher.ResponseData> {
    const found = await this.try(ask)
    if (found.statusCode < 300) {
      if (ask.method !== 'GET' && ask.method !== 'POST') await found.body.dump()
      return found
    }
    if (!alsoGood.includes(found.statusCode)) throw await this.fault(found)
    await found.body.dump()
    return found
  }

  private async try(ask: Ask): Promise<Dispatcher.ResponseData> {
    let pauseMs = firstPauseMs
    for (let left = tries; ; left -= 1) {
      try {
        const found = await this.send(ask)
        if (left <= 1 || (found.statusCode < 500 && found.statusCode !== 429) || found.statusCode === 507)
          return found
        await found.body.dump()
      } catch (error) {
        if (left <= 1) throw unavailable(error instanceof Error ? error.message : String(error), error)
      }
      await this.clock.sleep(pauseMs)
      pauseMs *= 3
    }
  }

  private send({ method, key, query = {}, headers = {}, body }: Ask): Promise<Dispatcher.ResponseData> {
    const { bucket, region, accessKeyId, secretAccessKey } = this.settings
    const prefix = this.base.pathname.replace(/\/$/, '')
    const rawPath = `${prefix}/${bucket}${key === undefined ? '' : `/${uriEncode(key, { keepSlash: true })}`}`
    const rawQuery = Object.entries(query)
      .map(([name, value]) => `${uriEncode(name)}=${uriEncode(value)}`)
      .join('&')
    const all = {
      ...headers,
      host: this.base.host,
      ...(body === undefined ? {} : { 'content-length': String(body.length) }),
    }
    const payloadHash = body === undefined ? emptySha256 : sha256Hex(body)
    const signed = signRequest(
      { method, rawPath, rawQuery, headers: all, payloadHash },
      {
        credentials: { accessKeyId, secretAccessKey },
        region,
        service: 's3',
        now: new Date(this.clock.now()),
      },
    )
    return request(`${this.base.origin}${rawPath}${rawQuery === '' ? '' : `?${rawQuery}`}`, {
      dispatcher: this.dispatcher,
      method: method as Dispatcher.HttpMethod,
      headers: { ...all, ...signed },
      body: body ?? null,
    })
  }

  private async fault(found: Dispatcher.ResponseData): Promise<Error> {
    const text = await found.body.text().catch(() => '')
    const code = /<Code>([A-Za-z]{1,60})<\/Code>/.exec(text)?.[1] ?? `status ${found.statusCode}`
    if (found.statusCode === 507 || fullCodes.has(code))
      return Object.assign(new Error(`the store is full (${code})`), { code: 'ENOSPC' })
    return unavailable(code)
  }
}

const sumOf = (body: Buffer) => ({ 'content-md5': createHash('md5').update(body).digest('base64') })

const unavailable = (why: string, cause?: unknown) =>
  new MalleeError({
    code: 'StoreUnavailable',
    publicMessage: `The store that holds the bytes does not do what it is asked: ${why.slice(0, 200)}.`,
    retryable: true,
    cause,
  })

const childrenOf = (element: XmlElement, name: string) =>
  element.children.filter((child) => child.name === name)

const textOf = (element: XmlElement, name: string): string =>
  element.children.find((child) => child.name === name)?.text ?? ''
