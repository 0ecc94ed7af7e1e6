import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { digestOf, silentLog } from '@mallee/base'
import type { BundleFacts, BundleItem, DomainItem } from '@mallee/agent-contract'
import { Ledger } from '@mallee/agent-kit'
import { readManifest, unbundle, unwrapKey } from '@mallee/image-bundle'
import { createSigningCertificate } from '@mallee/pki'
import { fatal, passing } from '../node-error.ts'
import { BundleKeeper } from './bundle-keeper.ts'
import { formUploader, type Upload } from './form-upload.ts'

const cloud = await createSigningCertificate('cloud', Date.now())
const disk = Buffer.concat([Buffer.alloc(1024 * 1024), randomBytes(11 * 1024 * 1024), Buffer.alloc(4096)])
let dir: string
let ledger: Ledger
let said: BundleFacts[]
let uploaded: Map<string, Buffer>
let keeper: BundleKeeper | null
let live: string[]

beforeEach(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'mallee-bundle-keeper-'))
  writeFileSync(path.join(dir, 'disk.raw'), disk)
  ledger = await openLedger()
  said = []
  uploaded = new Map()
  live = []
  keeper = null
})
afterEach(async () => {
  await keeper?.stop()
  rmSync(dir, { recursive: true, force: true })
})

const openLedger = () => Ledger.open({ dir: path.join(dir, 'ledger'), privateKey: 'key', log: silentLog })
const policy = (conditions: unknown[]) => Buffer.from(JSON.stringify({ conditions })).toString('base64')
const item: BundleItem = {
  ...{
    instanceId: 'i-1',
    accountId: '123456789012',
    architecture: 'x86_64',
    kernelId: null,
    ramdiskId: null,
  },
  ...{ bucket: 'backups', prefix: 'web/monday', accessKeyId: 'AKID', certificate: cloud.certificate },
  ...{ uploadPolicy: policy([{ acl: 'ec2-bundle-read' }]), uploadPolicySignature: 'signed' },
}

async function want(...ids: string[]): Promise<void> {
  const entry = (kind: string, id: string, body: unknown) => ({
    kind,
    id,
    generation: 1,
    digest: digestOf(body),
    body,
  })
  const bodies = [
    entry('domain', 'i-1/1', { instanceId: 'i-1' } as DomainItem),
    ...ids.map((id) => entry('bundle', id, item)),
  ]
  await ledger.accept({ revision: ledger.revision + 1, pollSeconds: 1, index: bodies, bodies } as never)
}

const keep: Upload = async (_item, key, bytes) => void uploaded.set(key, bytes)

function start(upload: Upload = keep, format: 'raw' | 'qcow2' = 'raw'): void {
  keeper = new BundleKeeper({
    ...{ ledger, upload, log: silentLog, tryAgainMs: 1 },
    hypervisor: { list: async () => live.map((name) => ({ name, state: 'running' as const })) },
    preparer: { disk: async () => ({ file: path.join(dir, `disk.${format}`), format }) },
    observe: (_item, facts) => void said.push(facts),
  })
  keeper.refresh()
}

async function eventually(look: () => boolean): Promise<void> {
  const until = Date.now() + 20_000
  while (!look()) {
    if (Date.now() > until) throw new Error('it did not come')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
const ended = () => eventually(() => ['complete', 'failed'].includes(said.at(-1)?.state ?? ''))

async function unpacked(): Promise<Buffer> {
  const manifest = readManifest(uploaded.get('web/monday.manifest.xml')!)
  const key = unwrapKey({ key: manifest.cloudKey, iv: manifest.cloudIv }, cloud.key)
  const pieces: Buffer[] = []
  const readPart = async (part: { filename: string }) =>
    (async function* () {
      yield uploaded.get(`web/${part.filename}`)!
    })()
  for await (const piece of unbundle({ manifest, key, readPart })) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}

describe('the disk of a guest', () => {
  test('that is down is bundled and uploaded, the manifest last, and unpacks to the byte', async () => {
    await want('bun-1')
    start()
    await ended()
    expect(said.at(-1)).toEqual({ state: 'complete', progress: 100, message: null })
    const progress = said.map((facts) => facts.progress)
    expect(progress).toEqual(progress.toSorted((a, b) => a - b))
    expect(progress.length).toBeGreaterThan(5)
    expect([...uploaded.keys()]).toEqual([
      'web/monday.part.00',
      'web/monday.part.01',
      'web/monday.manifest.xml',
    ])
    expect((await unpacked()).equals(disk)).toBe(true)
    // Said again after a restart, and not done again.
    uploaded.clear()
    await keeper!.stop()
    ledger = await openLedger()
    said = []
    start()
    await ended()
    expect([said.at(-1)!.state, uploaded.size]).toEqual(['complete', 0])
  })

  test('that is an overlay is converted first, and nothing of that is left', async () => {
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', 'disk.raw', 'disk.qcow2'], { cwd: dir })
    await want('bun-1')
    start(keep, 'qcow2')
    await ended()
    expect((await unpacked()).equals(disk)).toBe(true)
    expect(existsSync(path.join(dir, 'bundle.raw'))).toBe(false)
  })

  test('that runs is not touched', async () => {
    live = ['i-1']
    await want('bun-1')
    start()
    await keeper!.stop()
    expect([said, uploaded.size]).toEqual([[], 0])
  })

  test('is tried again while the storage is away, and fails with what it said when it refuses', async () => {
    let count = 0
    await want('bun-1')
    start(async (...words) => {
      count += 1
      if (count % 2 === 1) throw passing('WalrusAway', 'The object storage does not answer.')
      await keep(...words)
    })
    await ended()
    expect([said.at(-1)!.state, count]).toEqual(['complete', 6])
    await keeper!.stop()
    await want('bun-2')
    start(async () => {
      throw fatal('UploadRefused', 'AccessDenied: Invalid according to Policy')
    })
    await eventually(() => said.at(-1)?.state === 'failed')
    expect(said.at(-1)!.message).toBe('AccessDenied: Invalid according to Policy')
    expect(existsSync(path.join(dir, 'bundle.raw'))).toBe(false)
  })

  test('is given up when it is wanted no more', async () => {
    await want('bun-1')
    let begun = false
    start((_item, _key, _bytes, signal) => {
      begun = true
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      })
    })
    await eventually(() => begun)
    await want()
    keeper!.refresh()
    await eventually(() => !ledger.noteNames('bundle ').length && begun)
    await keeper!.stop()
    expect(said.every(({ state }) => state === 'bundling')).toBe(true)
  })
})

describe('a form', () => {
  let server: Server
  let body = ''
  let answer = { status: 204, text: '' }
  let url = ''
  beforeEach(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        body = Buffer.concat(chunks).toString('latin1')
        response.writeHead(answer.status).end(answer.text)
      })
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(() => server.close())

  test('carries the policy, its ACL and the bytes; a refusal is told by its code', async () => {
    const upload = formUploader({ url, authority: '' })
    const { signal } = new AbortController()
    await upload(item, 'web/monday.part.00', Buffer.from('the bytes'), signal)
    for (const [name, value] of [
      ['key', 'web/monday.part.00'],
      ['acl', 'ec2-bundle-read'],
      ['AWSAccessKeyId', 'AKID'],
      ['policy', item.uploadPolicy],
      ['signature', 'signed'],
    ])
      expect(body).toContain(`name="${name}"\r\n\r\n${value}\r\n`)
    expect(body).toContain('filename="part"\r\n\r\nthe bytes\r\n--')
    await upload({ ...item, uploadPolicy: policy([['eq', '$acl', 'private']]) }, 'k', Buffer.alloc(0), signal)
    expect(body).toContain('name="acl"\r\n\r\nprivate\r\n')
    await upload(
      { ...item, uploadPolicy: policy([['starts-with', '$key', 'x']]) },
      'k',
      Buffer.alloc(0),
      signal,
    )
    expect(body).not.toContain('name="acl"')
    answer = { status: 403, text: '<Error><Code>AccessDenied</Code><Message>no</Message></Error>' }
    await expect(upload(item, 'k', Buffer.alloc(0), signal)).rejects.toMatchObject({
      ...{ publicMessage: 'AccessDenied: no', retryable: false },
    })
    answer = { status: 503, text: '' }
    await expect(upload(item, 'k', Buffer.alloc(0), signal)).rejects.toMatchObject({ retryable: true })
  })
})
