import { AwsError, encodeRestJsonError } from '@mallee/aws-protocol'
import { describe, expect, test } from 'vitest'
import { ebsNotFound, EbsDecoder, EbsEncoder, EbsRouter } from './index.ts'

const router = new EbsRouter()
const decoder = new EbsDecoder()
const encoder = new EbsEncoder()
const snapshot = 'snap-0123456789abcdef0'

function decode(
  method: string,
  path: string,
  more: { query?: string; headers?: Record<string, string>; body?: unknown } = {},
) {
  const route = router.route(method, path)
  if (!route) throw new Error(`no route for ${method} ${path}`)
  const body =
    more.body === undefined
      ? undefined
      : typeof more.body === 'string'
        ? more.body
        : JSON.stringify(more.body)
  return decoder.decode({
    ...route,
    query: new Map(new URLSearchParams(more.query ?? '')),
    headers: more.headers ?? {},
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  })
}

function refusal(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    const { code, status, details } = error as AwsError
    return [code, status, details['Reason']]
  }
  return null
}

describe('routes', () => {
  test('are the six of the model, and no others', () => {
    const of = (method: string, path: string) => router.route(method, path)?.operation
    expect(of('POST', '/snapshots')).toBe('StartSnapshot')
    expect(of('POST', `/snapshots/completion/${snapshot}`)).toBe('CompleteSnapshot')
    expect(of('GET', `/snapshots/${snapshot}/blocks`)).toBe('ListSnapshotBlocks')
    expect(of('GET', `/snapshots/${snapshot}/blocks/7`)).toBe('GetSnapshotBlock')
    expect(of('PUT', `/snapshots/${snapshot}/blocks/7`)).toBe('PutSnapshotBlock')
    expect(of('GET', `/snapshots/${snapshot}/changedblocks`)).toBe('ListChangedBlocks')
    for (const path of ['/', '/snapshots/', '/snapshots', `/snapshots/${snapshot}`, '/snapshots//blocks'])
      expect(of('GET', path)).toBeUndefined()
    expect(of('DELETE', `/snapshots/${snapshot}/blocks/7`)).toBeUndefined()
  })
})

describe('a request', () => {
  test('has members in its path, its query, its headers and its document', () => {
    expect(
      decode('GET', `/snapshots/${snapshot}/blocks`, { query: 'maxResults=100&startingBlockIndex=3' }),
    ).toEqual({
      SnapshotId: snapshot,
      MaxResults: 100,
      StartingBlockIndex: 3,
    })
    expect(
      decode('POST', `/snapshots/completion/${snapshot}`, { headers: { 'x-amz-changedblockscount': '0' } }),
    ).toEqual({ SnapshotId: snapshot, ChangedBlocksCount: 0 })
    expect(
      decode('POST', '/snapshots', { body: { VolumeSize: 8, Tags: [{ Key: 'a', Value: '' }], Timeout: 10 } }),
    ).toEqual({ VolumeSize: 8, Tags: [{ Key: 'a', Value: '' }], Timeout: 10 })
  })

  test('that does not fit is refused with the reason that belongs to the member', () => {
    const blocks = `/snapshots/${snapshot}/blocks`
    const cases: [() => unknown, string][] = [
      [() => decode('GET', '/snapshots/vol-1/blocks'), 'INVALID_SNAPSHOT_ID'],
      [() => decode('GET', '/snapshots/%ff/blocks'), 'INVALID_SNAPSHOT_ID'],
      [() => decode('GET', blocks, { query: 'maxResults=99' }), 'INVALID_PARAMETER_VALUE'],
      [() => decode('GET', blocks, { query: 'maxResults=10001' }), 'INVALID_PARAMETER_VALUE'],
      [() => decode('GET', blocks, { query: 'pageToken=%2A' }), 'INVALID_PAGE_TOKEN'],
      [() => decode('GET', `${blocks}/x`, { query: 'blockToken=AA' }), 'INVALID_BLOCK'],
      [() => decode('GET', `${blocks}/-1`, { query: 'blockToken=AA' }), 'INVALID_BLOCK'],
      [() => decode('GET', `${blocks}/1`), 'INVALID_BLOCK_TOKEN'],
      [() => decode('POST', '/snapshots', { body: {} }), 'INVALID_VOLUME_SIZE'],
      [() => decode('POST', '/snapshots', { body: { VolumeSize: 0 } }), 'INVALID_VOLUME_SIZE'],
      [() => decode('POST', '/snapshots', { body: { VolumeSize: 1.5 } }), 'INVALID_VOLUME_SIZE'],
      [
        () => decode('POST', '/snapshots', { body: { VolumeSize: 1, Timeout: 9 } }),
        'INVALID_PARAMETER_VALUE',
      ],
      [() => decode('POST', '/snapshots', { body: { VolumeSize: 1, Tags: [{ Key: '' }] } }), 'INVALID_TAG'],
      [() => decode('POST', '/snapshots', { body: { VolumeSize: 1, New: 1 } }), 'INVALID_PARAMETER_VALUE'],
    ]
    for (const [work, reason] of cases) expect(refusal(work)).toEqual(['ValidationException', 400, reason])
  })

  test('whose document is none is refused', () => {
    for (const body of [
      '{',
      '[]',
      '1',
      '{"VolumeSize":"8"}',
      '{"VolumeSize":8,"Tags":{}}',
      '{"VolumeSize":8,"Tags":[1]}',
    ])
      expect(refusal(() => decode('POST', '/snapshots', { body }))).toEqual([
        'SerializationException',
        400,
        undefined,
      ])
  })
})

test('an answer has its members where the model says, and times as seconds', () => {
  const listed = encoder.encode('ListSnapshotBlocks', {
    Blocks: [{ BlockIndex: 1, BlockToken: 'AA' }],
    ExpiryTime: new Date(1_500),
    NextToken: undefined,
  })
  expect([listed.status, JSON.parse(listed.body.toString())]).toEqual([
    200,
    { Blocks: [{ BlockIndex: 1, BlockToken: 'AA' }], ExpiryTime: 1.5 },
  ])
  const block = encoder.encode('GetSnapshotBlock', {
    DataLength: 3,
    Checksum: 'c',
    BlockData: Buffer.from('abc'),
  })
  expect(block.headers).toEqual({
    'x-amz-Data-Length': '3',
    'x-amz-Checksum': 'c',
    'content-type': 'application/octet-stream',
  })
  expect(block.body.toString()).toBe('abc')
  expect(encoder.encode('StartSnapshot', {}).status).toBe(201)
  expect(encoder.encode('CompleteSnapshot', { Status: 'pending' }).status).toBe(202)
})

test('an error has its name in a header, and message and reason in its body', () => {
  const { status, headers, body } = encodeRestJsonError(ebsNotFound(snapshot))
  expect([status, headers['x-amzn-ErrorType']]).toEqual([404, 'ResourceNotFoundException'])
  expect(JSON.parse(body.toString())).toEqual({
    Message: `The snapshot '${snapshot}' does not exist.`,
    Reason: 'SNAPSHOT_NOT_FOUND',
  })
})
