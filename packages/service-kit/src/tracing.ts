import { randomBytes } from 'node:crypto'
import { errorMessage, type Log } from '@mallee/base'

/**
 * Traces, off unless an endpoint is configured: spans are gathered and sent as OTLP/HTTP JSON (OpenTelemetry protocol
 * 1.x). The context travels as W3C `traceparent`, also where nothing is sent: who is traced by others is not cut off.
 */
export interface Span {
  /** What goes to whoever does a part of this; null where nobody traces. */
  readonly traceparent: string | null
  set(attributes: Attributes): void
  /** Ends it; an error makes it a failed one. A second end is ignored. */
  end(error?: unknown): void
}

export type Attributes = Readonly<Record<string, string | number | boolean>>

/** `{ endpoint }` of the collector, such as `http://127.0.0.1:4318`. */
export interface TracingConfig {
  readonly endpoint: string
}

export const tracingSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['endpoint'],
  properties: { endpoint: { type: 'string', pattern: '^https?://' } },
}

interface FinishedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly { key: string; value: object }[]
  readonly status: object
}

const sendEveryMs = 1_000
/** Beyond this, spans are dropped: a collector that is away costs traces and nothing else. */
const mostKept = 4_096
const sendMs = 5_000
const pattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/

/** The context that a peer gave, if it is one. https://www.w3.org/TR/trace-context/ */
export function readTraceparent(header: unknown): string | null {
  if (typeof header !== 'string') return null
  const match = pattern.exec(header.trim())
  return match && !/^0+$/.test(match[1]!) && !/^0+$/.test(match[2]!) ? header.trim() : null
}

export class Tracer {
  private readonly options: { service: string; endpoint: string | null; log: Log }
  private finished: FinishedSpan[] = []
  private timer: NodeJS.Timeout | null = null
  private sending: Promise<void> = Promise.resolve()
  private complained = false

  constructor(options: { service: string; config?: TracingConfig | undefined; log: Log }) {
    this.options = {
      service: options.service,
      endpoint: options.config?.endpoint.replace(/\/+$/, '') ?? null,
      log: options.log,
    }
  }

  /** Begins a span under that context, or a trace of its own. `server` for what answers a request. */
  start(
    name: string,
    parent: string | null,
    attributes: Attributes = {},
    kind: 'internal' | 'server' = 'internal',
  ): Span {
    if (this.options.endpoint === null) return { traceparent: parent, set() {}, end() {} }
    const above = parent === null ? null : pattern.exec(parent)
    const traceId = above?.[1] ?? randomBytes(16).toString('hex')
    const spanId = randomBytes(8).toString('hex')
    const startedMs = performance.timeOrigin + performance.now()
    let said = attributes
    let ended = false
    return {
      traceparent: `00-${traceId}-${spanId}-01`,
      set(more) {
        said = { ...said, ...more }
      },
      end: (error) => {
        if (ended) return
        ended = true
        this.keep({
          traceId,
          spanId,
          parentSpanId: above?.[2] ?? '',
          name,
          kind: kind === 'server' ? 2 : 1,
          startTimeUnixNano: nanos(startedMs),
          endTimeUnixNano: nanos(performance.timeOrigin + performance.now()),
          attributes: attributesOf(said),
          status: error === undefined ? {} : { code: 2, message: errorMessage(error) },
        })
      },
    }
  }

  /** Runs the work inside a span. */
  async trace<T>(
    name: string,
    parent: string | null,
    attributes: Attributes,
    work: (span: Span) => Promise<T>,
  ): Promise<T> {
    const span = this.start(name, parent, attributes)
    try {
      const value = await work(span)
      span.end()
      return value
    } catch (error) {
      span.end(error)
      throw error
    }
  }

  /** Sends what is left. */
  async close(): Promise<void> {
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
    this.send()
    await this.sending
  }

  private keep(span: FinishedSpan): void {
    if (this.finished.length >= mostKept) this.finished.shift()
    this.finished.push(span)
    this.timer ??= setTimeout(() => {
      this.timer = null
      this.send()
    }, sendEveryMs).unref()
  }

  private send(): void {
    const { endpoint, service, log } = this.options
    const spans = this.finished.splice(0)
    if (spans.length === 0 || endpoint === null) return
    const resource = { attributes: attributesOf({ 'service.name': service, 'service.namespace': 'mallee' }) }
    const body = JSON.stringify({
      resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'mallee' }, spans }] }],
    })
    this.sending = fetch(`${endpoint}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(sendMs),
    }).then(
      async (response) => {
        await response.arrayBuffer()
        this.complained = false
      },
      (error: unknown) => {
        if (!this.complained) log.warn({ reason: errorMessage(error) }, 'traces could not be sent')
        this.complained = true
      },
    )
  }
}

const nanos = (ms: number) => `${BigInt(Math.round(ms * 1000)) * 1000n}`

function attributesOf(attributes: Attributes): { key: string; value: object }[] {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value:
      typeof value === 'string'
        ? { stringValue: value }
        : typeof value === 'boolean'
          ? { boolValue: value }
          : Number.isInteger(value)
            ? { intValue: String(value) }
            : { doubleValue: value },
  }))
}
