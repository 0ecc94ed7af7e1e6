import { execFileSync } from 'node:child_process'
import {
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  openSync,
  writeSync,
  closeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { bundleImage, BundleRefused, newBundleKey, unbundle, unwrapKey } from '../src/index.ts'
import {
  bundled,
  chunksOf,
  cloud,
  noise,
  sealed,
  sha1,
  unbundled,
  type SampleBundle,
} from './sample-bundle.ts'

const dir = mkdtempSync(path.join(tmpdir(), 'mallee-bundle-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const MiB = 1024 * 1024
const file = (name: string) => path.join(dir, name)
const tar = (...args: string[]) => execFileSync('tar', ['-C', dir, ...args], { maxBuffer: 64 * MiB })
const refusal = async (bundle: SampleBundle) => {
  const error = await unbundled(bundle).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (error === null) return 'taken'
  if (error instanceof BundleRefused) return error.publicMessage
  throw error
}

describe('an image', () => {
  it.each([0 + 1, 511, 512, 10_240, 25 * MiB + 3])('of %i bytes comes back to the byte', async (size) => {
    const image = noise(size)
    const bundle = await bundled(image)
    expect(bundle.manifest.parts).toHaveLength(Math.max(1, Math.ceil(size / (10 * MiB))))
    expect(sha1(await unbundled(bundle))).toBe(sha1(image))
  })

  it('is bundled as tar, gzip and openssl undo it', async () => {
    const image = noise(11 * MiB)
    const { parts, key, manifest } = await bundled(image)
    const [first, second] = [...parts.values()]
    expect([first!.length, parts.size]).toEqual([10 * MiB, 2])
    for (const [name, part] of parts)
      expect(manifest.parts.find(({ filename }) => filename === name)!.digest).toBe(sha1(part))
    writeFileSync(file('whole'), Buffer.concat([first!, second!]))
    const aes = ['-K', key.key.toString('hex'), '-iv', key.iv.toString('hex')]
    execFileSync('openssl', [
      'enc',
      '-d',
      '-aes-128-cbc',
      ...aes,
      '-in',
      file('whole'),
      '-out',
      file('theirs.gz'),
    ])
    const archive = execFileSync('gzip', ['-dc', file('theirs.gz')], { maxBuffer: 64 * MiB })
    expect(sha1(archive)).toBe(manifest.digest)
    writeFileSync(file('theirs.tar'), archive)
    expect(tar('-tf', file('theirs.tar')).toString()).toBe('disk.img\n')
    expect(sha1(tar('-xOf', file('theirs.tar')))).toBe(sha1(image))
    writeFileSync(file('key.pem'), cloud.key)
    writeFileSync(file('wrapped'), Buffer.from(manifest.cloudKey, 'hex'))
    const opened = execFileSync('openssl', [
      'pkeyutl',
      '-decrypt',
      '-inkey',
      file('key.pem'),
      '-in',
      file('wrapped'),
    ])
    expect(opened.toString()).toBe(key.key.toString('hex'))
  })

  it.each([
    ['gnu', ['--format=gnu']],
    ['posix', ['--format=posix']],
    ['ustar', ['--format=ustar']],
    ['v7', ['--format=v7']],
    ['gnu, sparse', ['--format=gnu', '-S']],
  ])('that tar (%s), gzip and openssl bundled is unbundled', async (_name, flags) => {
    const handle = openSync(file('disk.img'), 'w')
    for (let at = 1; at < 60; at += 2) writeSync(handle, noise(8192), 0, 8192, at * 128 * 1024)
    closeSync(handle)
    truncateSync(file('disk.img'), 9 * MiB)
    const image = readFileSync(file('disk.img'))
    const archive = tar('-cf', '-', ...flags, 'disk.img')
    if (flags.includes('-S')) expect(archive.length).toBeLessThan(MiB)
    const key = newBundleKey()
    const aes = ['-K', key.key.toString('hex'), '-iv', key.iv.toString('hex')]
    const zipped = execFileSync('gzip', ['-c'], { input: archive, maxBuffer: 64 * MiB })
    const bytes = execFileSync('openssl', ['enc', '-e', '-aes-128-cbc', ...aes], {
      input: zipped,
      maxBuffer: 64 * MiB,
    })
    writeFileSync(file('cloud.crt'), cloud.certificate)
    const wrapped = (secret: Buffer) =>
      execFileSync('openssl', ['pkeyutl', '-encrypt', '-certin', '-inkey', file('cloud.crt')], {
        input: secret.toString('hex'),
      }).toString('hex')
    const opened = unwrapKey({ key: wrapped(key.key), iv: wrapped(key.iv) }, cloud.key)
    const manifest = {
      digest: sha1(archive),
      sizeBytes: image.length,
      bundledBytes: bytes.length,
      parts: [{ filename: 'p', digest: sha1(bytes) }],
    }
    const pieces: Buffer[] = []
    for await (const piece of unbundle({ manifest, key: opened, readPart: async () => chunksOf(bytes) }))
      pieces.push(Buffer.from(piece))
    expect(sha1(Buffer.concat(pieces))).toBe(sha1(image))
  })

  it('is read no faster than it is taken, in both directions', async () => {
    const image = noise(40 * MiB)
    let [read, waiting] = [0, 0]
    async function* source() {
      for await (const chunk of chunksOf(image)) {
        read += chunk.length
        yield chunk
      }
    }
    const parts = new Map<string, Buffer>()
    const key = newBundleKey()
    const made = await bundleImage({
      ...{ source: source(), sizeBytes: image.length, name: 'x', prefix: 'x', mtimeMs: 0, key },
      async writePart(part, bytes) {
        waiting = Math.max(waiting, read - parts.size * 10 * MiB)
        parts.set(part.filename, bytes)
        await new Promise((resolve) => setImmediate(resolve))
      },
    })
    expect(waiting).toBeLessThan(12 * MiB)
    let taken = 0
    const manifest = { ...made, sizeBytes: image.length }
    const stream = unbundle({
      ...{ manifest, key },
      async readPart(part) {
        waiting = manifest.parts.indexOf(part) * 10 * MiB - taken
        expect(waiting).toBeLessThan(12 * MiB)
        return chunksOf(parts.get(part.filename)!)
      },
    })
    for await (const piece of stream) {
      taken += piece.length
      if (taken % (4 * MiB) < piece.length) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(taken).toBe(image.length)
  })

  it('whose source or store fails, fails with their error', async () => {
    const fault = new Error('the disk is gone')
    async function* broken() {
      yield noise(10)
      throw fault
    }
    const options = {
      sizeBytes: 20,
      name: 'x',
      prefix: 'x',
      mtimeMs: 0,
      key: newBundleKey(),
      writePart: async () => {},
    }
    await expect(bundleImage({ ...options, source: broken() })).rejects.toBe(fault)
    const full = async () => Promise.reject(fault)
    await expect(bundleImage({ ...options, source: chunksOf(noise(20)), writePart: full })).rejects.toBe(
      fault,
    )
    await expect(bundleImage({ ...options, source: chunksOf(noise(19)) })).rejects.toThrow('19 bytes')
    const bundle = await bundled(noise(100))
    const stream = unbundle({ ...bundle, readPart: async () => broken() })
    await expect(stream.next()).rejects.toBe(fault)
  })
})

const good = await bundled(noise(21 * MiB))

describe('a bundle', () => {
  const [first, second, third] = [...good.parts.keys()] as [string, string, string]
  const changed = (change: {
    parts?: Record<string, Buffer | null>
    manifest?: Partial<SampleBundle['manifest']>
  }) => {
    const parts = new Map(good.parts)
    for (const [name, bytes] of Object.entries(change.parts ?? {}))
      if (bytes) parts.set(name, bytes)
      else parts.delete(name)
    return { ...good, parts, manifest: { ...good.manifest, ...change.manifest } }
  }
  const damagedPart = Buffer.from(good.parts.get(second)!)
  damagedPart[1234] = damagedPart[1234]! ^ 1

  it('with a part that is damaged, cut off, too long or missing is refused, naming it', async () => {
    expect(await refusal(changed({ parts: { [second]: damagedPart } }))).toBe(
      `Part 1 (${second}) is damaged: its digest is not the one in the manifest.`,
    )
    expect(await refusal(changed({ parts: { [third]: good.parts.get(third)!.subarray(1) } }))).toContain(
      `Part 2 (${third}) is damaged`,
    )
    expect(await refusal(changed({ parts: { [first]: null } }))).toBe(`Part 0 (${first}) is missing.`)
    const long = Buffer.concat([good.parts.get(third)!, noise(16)])
    expect(await refusal(changed({ parts: { [third]: long } }))).toContain(`Part 2 (${third}) has more bytes`)
  })

  it('whose manifest lies about digest, sizes or order is refused', async () => {
    const { parts, sizeBytes, bundledBytes } = good.manifest
    expect(await refusal(changed({ manifest: { digest: '0'.repeat(40) } }))).toContain(
      'digest of the unpacked image',
    )
    expect(await refusal(changed({ manifest: { sizeBytes: sizeBytes - 1 } }))).toContain('its manifest says')
    expect(await refusal(changed({ manifest: { sizeBytes: 10 } }))).toContain('its manifest says 10')
    expect(await refusal(changed({ manifest: { bundledBytes: bundledBytes + 1 } }))).toContain(
      'the manifest says',
    )
    expect(await refusal(changed({ manifest: { bundledBytes: 10 } }))).toContain('more bytes than')
    expect(await refusal(changed({ manifest: { parts: [parts[1]!, parts[0]!, parts[2]!] } }))).not.toBe(
      'taken',
    )
    const withoutLast = { parts: parts.slice(0, 2), bundledBytes: 20 * MiB }
    expect(await refusal(changed({ manifest: withoutLast }))).not.toBe('taken')
  })

  it('is refused with another key', async () => {
    expect(await refusal({ ...good, key: newBundleKey() })).toContain('the key may be another one')
  })

  it('that unpacks to far more than it says is refused before it is unpacked', async () => {
    const small = tarOf([['disk.img', 'x'.repeat(100)]])
    const bomb = sealed(Buffer.concat([small, Buffer.alloc(60 * MiB)]), 100)
    let taken = 0
    const readPart = async (part: { filename: string }) => chunksOf(bomb.parts.get(part.filename)!)
    const work = async () => {
      for await (const piece of unbundle({ ...bomb, readPart })) taken += piece.length
    }
    await expect(work()).rejects.toThrow('more bytes than it may have')
    expect(taken).toBe(100)
  })

  it('with anything but one plain file in its archive is refused', async () => {
    writeFileSync(file('one'), noise(600))
    writeFileSync(file('two'), noise(600))
    symlinkSync('/etc/passwd', file('link'))
    const refused = async (archive: Buffer) => refusal(sealed(archive, 600))
    expect(await refused(tar('-cf', '-', 'one', 'two'))).toContain('more than one file')
    expect(await refused(tar('-cf', '-', 'link'))).toContain('a link, a folder or a device')
    expect(await refused(tar('-cf', '-', '--no-recursion', '.'))).toContain('a link, a folder or a device')
    expect(await refused(tar('-chf', '-', '-P', '--transform', 's,^,../../,', 'one'))).toContain('path')
    expect(await refused(tar('-chf', '-', '-P', '--transform', 's,^,/etc/,', 'one'))).toContain('path')
    const long = `s,^,${'d/'.repeat(100)},`
    expect(await refused(tar('-cf', '-', '--format=gnu', '--transform', long, 'one'))).toContain('path')
    expect(await refused(tar('-cf', '-', '--format=posix', '--transform', long, 'one'))).toContain('path')
    expect(await refused(tar('-cf', '-', '--format=posix', '-S', sparseFile()))).toContain('sparse')
    expect(await refused(tar('-cf', '-', '-T', '/dev/null'))).toContain('empty')
    expect(await refused(noise(20_480))).toContain('no tar archive')
    const whole = tar('-cf', '-', 'one')
    expect(await refused(whole.subarray(0, 700))).toContain('cut off')
    expect(await refused(Buffer.concat([whole, noise(512)]))).toContain('follows the end')
    const damaged = Buffer.from(whole)
    damaged[3] = damaged[3]! ^ 1
    expect(await refused(damaged)).toContain('damaged')
    expect(await refused(whole)).toBe('taken')
  })

  it('that is no gzip, or cut off within it, is refused', async () => {
    const whole = sealed(tarOf([['a', noise(200_000)]]), 200_000)
    const [name, bytes] = [...whole.parts].at(-1)!
    whole.parts.set(name, bytes.subarray(0, -16))
    const cut = { ...whole.manifest, bundledBytes: whole.manifest.bundledBytes - 16 }
    const parts = cut.parts.map((part) =>
      part.filename === name ? { ...part, digest: sha1(whole.parts.get(name)!) } : part,
    )
    expect(await refusal({ ...whole, manifest: { ...cut, parts } })).not.toBe('taken')
  })
})

function tarOf(files: [string, string | Buffer][]): Buffer {
  for (const [name, content] of files) writeFileSync(file(name), content)
  return tar('-cf', '-', ...files.map(([name]) => name))
}

function sparseFile(): string {
  writeFileSync(file('holes'), '')
  truncateSync(file('holes'), 4 * MiB)
  return 'holes'
}
