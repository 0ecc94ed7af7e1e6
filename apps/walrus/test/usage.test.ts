import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WalrusUnderTest } from './walrus-under-test.ts'
import { wrongUsage } from '../src/index/usage-rows.ts'

let walrus: WalrusUnderTest
beforeAll(async () => {
  walrus = await WalrusUnderTest.start()
})
afterAll(() => walrus.stop())

const call = async (method: string, at: string, body?: string, headers = {}) => {
  const options = { method, path: at, headers, ...(body === undefined ? {} : { body }) }
  const answer = await walrus.signed(options)
  expect(answer.status, answer.text).toBeLessThan(300)
  return answer
}

const seen = async () => {
  const file = path.join(walrus.dir, 'usage.json')
  await writeFile(file, JSON.stringify(walrus.config))
  const words = [
    '--disable-warning=ExperimentalWarning',
    path.join(import.meta.dirname, '../src/usage-main.ts'),
  ]
  const text = execFileSync(process.execPath, [...words, file], { encoding: 'utf8' }).trim()
  return Object.fromEntries(
    text.split('\n').map((line) => {
      const { bucket, account: _account, ...of } = JSON.parse(line) as Record<string, number | string>
      return [bucket, Object.values(of).join(' ')]
    }),
  ) as Record<string, string>
}
const wrong = () => wrongUsage((work) => walrus.walrus.index.read(work))

it('is what clients put, whatever becomes of it', async () => {
  await call('PUT', '/plain')
  await call('PUT', '/kept')
  expect(await seen()).toEqual({ kept: '0 0 0 0 0 0 0', plain: '0 0 0 0 0 0 0' })
  await call('PUT', '/plain/a', 'x'.repeat(1000))
  await call('PUT', '/plain/a', 'x'.repeat(100_000)) // in its place
  await call('PUT', '/plain/copy', undefined, { 'x-amz-copy-source': 'plain/a' })
  expect((await seen())['plain']).toBe('2 200000 0 0 0 0 0')
  await call('DELETE', '/plain/a')

  const on = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
  await call('PUT', '/kept?versioning', on)
  await call('PUT', '/kept/v', 'one')
  const second = await call('PUT', '/kept/v', 'second')
  const deleted = await call('DELETE', '/kept/v')
  expect((await seen())['kept']).toBe('0 0 2 9 1 0 0')
  await call('DELETE', `/kept/v?versionId=${deleted.headers['x-amz-version-id']}`)
  expect((await seen())['kept']).toBe('1 6 1 3 0 0 0')
  await call('DELETE', `/kept/v?versionId=${second.headers['x-amz-version-id']}`)
  expect((await seen())['kept']).toBe('1 3 0 0 0 0 0')

  const begun = await call('POST', '/plain/parts?uploads')
  const id = /<UploadId>([^<]+)/.exec(begun.text)?.[1]
  await call('PUT', `/plain/parts?partNumber=1&uploadId=${id}`, 'x'.repeat(500))
  const part = await call('PUT', `/plain/parts?partNumber=1&uploadId=${id}`, 'x'.repeat(700))
  expect((await seen())['plain']).toBe('1 100000 0 0 0 1 700')
  const listed = `<Part><ETag>${part.headers.etag}</ETag><PartNumber>1</PartNumber></Part>`
  await call(
    'POST',
    `/plain/parts?uploadId=${id}`,
    `<CompleteMultipartUpload>${listed}</CompleteMultipartUpload>`,
  )
  const other = await call('POST', '/plain/given-up?uploads')
  const given = /<UploadId>([^<]+)/.exec(other.text)?.[1]
  await call('PUT', `/plain/given-up?partNumber=3&uploadId=${given}`, 'x'.repeat(800))
  await call('DELETE', `/plain/given-up?uploadId=${given}`)
  expect((await seen())['plain']).toBe('2 100700 0 0 0 0 0')
  expect(await walrus.walrus.metrics.text()).toMatch(/^mallee_s3_object_bytes 100703$/m)
  expect(await wrong()).toEqual([])

  for (const key of ['copy', 'parts']) await call('DELETE', `/plain/${key}`)
  await call('DELETE', '/plain')
  expect(Object.keys(await seen())).toEqual(['kept'])
})

it('that is wrong is found by an inventory, which fsck asks for', async () => {
  await walrus.walrus.index.transaction('action', (tx) =>
    tx.db.updateTable('usage').set({ bytes: 4 }).where('bucket', '=', 'kept').execute(),
  )
  expect(await wrong()).toEqual([
    'The usage of bucket kept is kept as 1 4 0 0 0 0 0, and its rows say 1 3 0 0 0 0 0.',
  ])
})
