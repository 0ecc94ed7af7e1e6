import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { silentLog, type Log } from '@mallee/base'
import { readTraceparent, Tracer } from './tracing.ts'

const context = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
let collector: Server | null = null
afterEach(() => collector?.close())

// oxlint-disable-next-line typescript/no-explicit-any -- the protocol's own shape, read here only
type Sent = any

async function collect(): Promise<{ endpoint: string; sent: Sent[] }> {
  const sent: Sent[] = []
  collector = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk: Buffer) => (text += chunk.toString()))
    request.on('end', () => {
      sent.push({ path: request.url, ...(JSON.parse(text) as object) })
      response.end('{}')
    })
  })
  await new Promise<void>((resolve) => {
    collector!.listen(0, '127.0.0.1', resolve)
  })
  return { endpoint: `http://127.0.0.1:${(collector.address() as AddressInfo).port}/`, sent }
}

test('without an endpoint nothing is sent and the context of others is passed on', async () => {
  const tracer = new Tracer({ service: 'x', log: silentLog })
  expect(tracer.start('a', context).traceparent).toBe(context)
  expect(tracer.start('a', null).traceparent).toBeNull()
  await tracer.close()
})

test('spans reach the collector as OTLP, under their parent, failed ones as failed', async () => {
  const { endpoint, sent } = await collect()
  const tracer = new Tracer({ service: 'cloud', config: { endpoint }, log: silentLog })
  await tracer.trace('outer', context, { size: 3, share: 0.5, ok: true }, async (outer) => {
    const inner = tracer.start('inner', outer.traceparent)
    inner.end(new Error('broken'))
    inner.end()
  })
  await expect(tracer.trace('bad', null, {}, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  await tracer.close()
  expect(sent.map((each) => each.path)).toEqual(['/v1/traces'])
  const [resource] = sent[0].resourceSpans
  expect(resource.resource.attributes[0]).toEqual({ key: 'service.name', value: { stringValue: 'cloud' } })
  const [inner, outer, bad] = resource.scopeSpans[0].spans
  expect(outer).toMatchObject({
    name: 'outer',
    traceId: '0af7651916cd43dd8448eb211c80319c',
    parentSpanId: 'b7ad6b7169203331',
    attributes: [
      { key: 'size', value: { intValue: '3' } },
      { key: 'share', value: { doubleValue: 0.5 } },
      { key: 'ok', value: { boolValue: true } },
    ],
    status: {},
  })
  expect(inner).toMatchObject({ parentSpanId: outer.spanId, traceId: outer.traceId, status: { code: 2 } })
  expect(BigInt(outer.endTimeUnixNano) >= BigInt(outer.startTimeUnixNano)).toBe(true)
  expect(bad.traceId).not.toBe(outer.traceId)
  expect(bad.parentSpanId).toBe('')
})

test('a collector that is away costs the spans, one line, and nothing else', async () => {
  const lines: string[] = []
  const log: Log = { ...silentLog, warn: (_fields, message) => void lines.push(message ?? '') }
  const tracer = new Tracer({ service: 'x', config: { endpoint: 'http://127.0.0.1:9' }, log })
  tracer.start('a', null).end()
  await tracer.close()
  tracer.start('b', null).end()
  await tracer.close()
  expect(lines).toEqual(['traces could not be sent'])
})

test('a context that is none is not taken', () => {
  expect(readTraceparent(context)).toBe(context)
  expect(readTraceparent(undefined)).toBeNull()
  expect(readTraceparent('00-zz-b7ad6b7169203331-01')).toBeNull()
  expect(readTraceparent(`00-${'0'.repeat(32)}-b7ad6b7169203331-01`)).toBeNull()
  expect(readTraceparent(`${context}\nx: y`)).toBeNull()
})
