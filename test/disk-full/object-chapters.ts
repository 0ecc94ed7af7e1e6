import { createHash } from 'node:crypto'
import { assert } from '@mallee/base'
import { until } from '../crash/until.ts'
import { diskImage } from '../crash/crash-cloud.ts'
import { assertRefused, type FullCloud } from './full-cloud.ts'
import { s3Call, type S3Answer } from './s3-call.ts'

const codes = /^InsufficientStorage$/
const mebibyte = 1024 * 1024
const put = (full: FullCloud, key: string, bytes: Buffer) =>
  full.world.client.s3('PUT', `/images/${key}`, bytes)

/** Objects, their parts and the index on a disk that is full from the start, and one that fills on the way. */
export async function fullObjects(full: FullCloud): Promise<void> {
  const { world, disks } = full
  const { client } = world
  const present = diskImage(200)
  assert((await put(full, 'present', present))?.status === 200, 'the first object')
  const { id: upload, answer } = await beginUpload(full, 'parts')
  assert(upload !== undefined, `no upload: ${answer?.text}`)
  const part = await putPart(full, { upload, number: 1 }, diskImage(201))
  assert(part?.status === 200, `a part: ${part?.text}`)

  const cut = await putWhileItFills(full, 'cut', Buffer.alloc(8 * mebibyte, 7))
  assertRefused(cut, 'an object that the disk fills under', codes)
  await disks.walrus.fill() // what had come of it is gone again
  assert(await disks.walrus.isFull(), 'the disk has room')
  assertRefused(await put(full, 'refused', Buffer.alloc(1000)), 'PutObject', codes)
  assertRefused(await putPart(full, { upload, number: 2 }, Buffer.alloc(1000)), 'UploadPart', codes)
  await disks.walrus.fill(256 * 1024)
  const uploads = await uploadsUntilRefused(full)
  assert(uploads.length > 0, 'nothing fitted')
  await disks.walrus.fill()
  // These may still fit into pages that the index owns.
  const completed = await completeUpload(full, upload)
  if (completed?.status !== 200) assertRefused(completed, 'CompleteMultipartUpload', codes)
  const bucket = await s3Call(world, { method: 'PUT', path: '/another' })
  if (bucket?.status !== 200) assertRefused(bucket, 'CreateBucket', codes)
  assert((await client.s3('GET', '/images/present'))?.bytes.equals(present), 'reads do not go on')
  assert((await client.s3('GET', '/images'))?.status === 200, 'lists do not go on')
  assert(full.alive, 'a daemon ended')

  await disks.walrus.room()
  assert((await completeUpload(full, upload))?.status === 200, 'the upload is not completed')
  if (bucket?.status === 200)
    assert((await client.s3('DELETE', '/another'))?.status === 204, 'a bucket was acknowledged and is lost')
  assert((await client.s3('GET', '/images/parts'))?.bytes.equals(diskImage(201)), 'the parts are others')
  assert((await client.s3('GET', '/images/present'))?.bytes.equals(present), 'the object is another')
  for (const key of ['cut', 'refused'])
    assert((await client.s3('GET', `/images/${key}`))?.status === 404, `${key} is there`)
  for (const { key, id } of uploads) {
    const gone = await s3Call(world, { method: 'DELETE', path: `/images/${key}`, query: `uploadId=${id}` })
    assert(gone?.status === 204, `${key} was begun and is lost: ${gone?.text}`)
  }
  assert((await put(full, 'refused', present))?.status === 200, 'no object where there is room')
  for (const key of ['parts', 'present', 'refused'])
    assert((await client.s3('DELETE', `/images/${key}`))?.status === 204, `${key} is not deleted`)
  await full.well()
}

function putPart(full: FullCloud, part: { upload: string; number: number }, body: Buffer) {
  const query = `partNumber=${part.number}&uploadId=${part.upload}`
  return s3Call(full.world, { method: 'PUT', path: '/images/parts', query, body })
}

/** Walrus ends while there is no room: if it starts at all, then it reads, and it goes on when there is some. */
export async function fullObjectsRestart(full: FullCloud): Promise<void> {
  const { world, disks } = full
  await disks.walrus.fill()
  await world.walrus.kill()
  const stood = await world.walrus.revive().then(
    () => true,
    () => false,
  )
  process.stdout.write(`     on a full disk walrus ${stood ? 'starts' : 'does not start'}\n`)
  if (stood) await objectIsRead(full)
  assert(await disks.walrus.isFull(), 'the disk has room')
  await disks.walrus.room()
  await full.restarted(world.walrus)
  await objectIsRead(full)
  await full.well()
}

function objectIsRead({ world }: FullCloud): Promise<boolean> {
  return until('the object', async () => {
    const answer = await s3Call(world, { method: 'GET', path: '/images/first.img' })
    if (answer?.status === 200) return true
    throw new Error(answer ? `${answer.status} ${answer.text.slice(0, 300)}` : 'no answer')
  })
}

interface Upload {
  readonly key: string
  readonly id: string
}

async function beginUpload(full: FullCloud, key: string) {
  const answer = await s3Call(full.world, { method: 'POST', path: `/images/${key}`, query: 'uploads=' })
  return { answer, id: /<UploadId>([^<]+)</.exec(answer?.text ?? '')?.[1] }
}

function completeUpload(full: FullCloud, upload: string) {
  const etag = createHash('md5').update(diskImage(201)).digest('hex')
  const listed = `<Part><PartNumber>1</PartNumber><ETag>"${etag}"</ETag></Part>`
  const body = Buffer.from(`<CompleteMultipartUpload>${listed}</CompleteMultipartUpload>`)
  return s3Call(full.world, { method: 'POST', path: '/images/parts', query: `uploadId=${upload}`, body })
}

/** Uploads that are begun are rows and no bytes; they go on until the index needs a page that is not to be had. */
async function uploadsUntilRefused(full: FullCloud): Promise<Upload[]> {
  const kept: Upload[] = []
  for (let number = 0; number < 2000; number += 8) {
    const keys = Array.from({ length: 8 }, (_, index) => `upload-${number + index}-${'x'.repeat(400)}`)
    const answers = await Promise.all(keys.map((key) => beginUpload(full, key)))
    for (const [index, { answer, id }] of answers.entries()) {
      if (answer?.status === 200 && id) kept.push({ key: keys[index]!, id })
      else assertRefused(answer, 'CreateMultipartUpload', codes)
    }
    if (answers.some(({ answer }) => answer?.status !== 200)) return kept
  }
  throw new Error('the index is never full')
}

/** The first half is received, then there is no room, then the second half comes. */
async function putWhileItFills(full: FullCloud, key: string, body: Buffer): Promise<S3Answer | null> {
  const { walrus } = full.disks
  const freeBytes = await walrus.free()
  const half = body.length / 2
  return s3Call(full.world, { method: 'PUT', path: `/images/${key}`, body }, async (asking) => {
    asking.write(body.subarray(0, half))
    await until('the first half', async () => (await walrus.free()) <= freeBytes - half / 2)
    await walrus.fill()
    asking.end(body.subarray(half))
  })
}
