import { createVerify, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  BundleRefused,
  kindOf,
  maxManifestBytes,
  partKey,
  readManifest,
  signManifest,
  unwrapKey,
  writeManifest,
} from '../src/index.ts'
import { bundled, cloud, noise, stranger } from './sample-bundle.ts'

const { manifest, key } = await bundled(noise(1000))
const text = writeManifest(manifest)
const read = (document: string) => readManifest(Buffer.from(document))
const refusal = (document: string) => {
  try {
    read(document)
  } catch (error) {
    if (error instanceof BundleRefused) return error.publicMessage
    throw error
  }
  return 'taken'
}

describe('a manifest', () => {
  it('is read as it was written, with the order that bundle tools have', () => {
    expect(read(text)).toEqual({ ...manifest, signature: 'UNSIGNED' })
    const names = [...text.matchAll(/<(\w+)[ >]/g)].map((match) => match[1])
    expect(names.join(' ')).toBe(
      'manifest version bundler name version release machine_configuration architecture block_device_mapping ' +
        'mapping virtual device mapping virtual device product_codes product_code kernel_id image name user type ' +
        'digest size bundled_size ec2_encrypted_key user_encrypted_key ec2_encrypted_iv user_encrypted_iv ancestry ' +
        'ancestor_ami_id parts part filename digest signature',
    )
  })

  it('may be spaced, and hold no more than it must', () => {
    const bare = {
      ...manifest,
      blockDevices: [],
      productCodes: [],
      kernelId: null,
      ancestors: [],
      userKey: '',
      userIv: '',
    }
    expect(read(writeManifest(bare))).toEqual({ ...bare, signature: 'UNSIGNED' })
    expect(read(writeManifest(bare).replaceAll('><', '>\n  <'))).toEqual({ ...bare, signature: 'UNSIGNED' })
  })

  it('is signed over machine_configuration and image', () => {
    const signature = signManifest(manifest, stranger.key)
    const signed = writeManifest(manifest, signature)
    expect(read(signed).signature).toBe(signature)
    const covered = /<machine_configuration>.*<\/image>/.exec(signed)![0]
    const { publicKey } = new X509Certificate(stranger.certificate)
    expect(createVerify('RSA-SHA1').update(covered).verify(publicKey, signature, 'hex')).toBe(true)
  })

  it('tells what the image is, by its type or by the marks of older tools', () => {
    const marks = { type: 'machine', kernelId: null, ramdiskId: null } as const
    expect(kindOf(marks)).toBe('machine')
    expect(kindOf({ ...marks, kernelId: 'true' })).toBe('kernel')
    expect(kindOf({ ...marks, ramdiskId: 'true' })).toBe('ramdisk')
    expect(kindOf({ ...marks, type: 'ramdisk' })).toBe('ramdisk')
    expect(partKey('a/b/x.manifest.xml', { filename: 'x.part.00', digest: '' })).toBe('a/b/x.part.00')
    expect(partKey('x.manifest.xml', { filename: 'x.part.00', digest: '' })).toBe('x.part.00')
  })

  it.each<[string, (text: string) => string]>([
    ['document type', (xml) => xml.replace('<manifest>', '<!DOCTYPE m [<!ENTITY a "b">]><manifest>')],
    ['document type', (xml) => xml.replace('<bundler>', '<!-- hidden --><bundler>')],
    ['document type', (xml) => xml.replace('<name>', '<name><![CDATA[x]]>')],
    ['document type', (xml) => xml.replace('<bundler>', '<?run it?><bundler>')],
    ['entity', (xml) => xml.replace('disk &amp;', 'disk &lol;')],
    ['entity', (xml) => xml.replace('disk &amp;', 'disk &#x41;')],
    ['well-formed', (xml) => xml.replace('</bundler>', '')],
    ['well-formed', (xml) => xml.slice(0, 400)],
    ['kind <manifest>', (xml) => xml.replaceAll('manifest>', 'manifesto>')],
    ['<version>', (xml) => xml.replace('2007-10-10', '2099-01-01')],
    ['lacks <type>', (xml) => xml.replace('<type>machine</type>', '')],
    ['<type>', (xml) => xml.replace('<type>machine', '<type>floppy')],
    ['none may be', (xml) => xml.replace('</bundler>', '<colour>blue</colour></bundler>')],
    ['none may be', (xml) => xml.replace('</bundler>', 'words</bundler>')],
    [
      'lacks <type>',
      (xml) => xml.replace('<type>machine</type>', '<digest algorithm="SHA1"/><type>machine</type>'),
    ],
    ['algorithm="SHA1"', (xml) => xml.replace('<digest algorithm="SHA1"', '<digest algorithm="MD5"')],
    ['AES-128-CBC', (xml) => xml.replace('AES-128-CBC', 'DES')],
    ['<size>', (xml) => xml.replace('<size>1000', '<size>-1')],
    ['<size>', (xml) => xml.replace('<size>1000', '<size>0')],
    ['<size>', (xml) => xml.replace('<size>1000', `<size>${'9'.repeat(17)}`)],
    ['size that cannot', (xml) => xml.replace('<size>1000', `<size>${'9'.repeat(16)}`)],
    ['<filename>', (xml) => xml.replace('<filename>disk', '<filename>../disk')],
    ['<filename>', (xml) => xml.replace(/<filename>[^<]*/, '<filename>..')],
    ['number of parts', (xml) => xml.replace('parts count="1"', 'parts count="2"')],
    ['another index', (xml) => xml.replace('part index="0"', 'part index="1"')],
    ['no parts', (xml) => xml.replace(/<part index.*<\/part>/, '')],
    [
      'twice',
      (xml) =>
        xml
          .replace(/count="1"/, 'count="2"')
          .replace(/<part index="0"(.*)<\/part>/, '<part index="0"$1</part><part index="1"$1</part>'),
    ],
    ['bytes', (xml) => xml + ' '.repeat(maxManifestBytes)],
    ['holds an element', (xml) => xml.replace('<architecture>x86_64', '<architecture><b>x</b>')],
  ])('that is not of its form is refused: %s', (reason, change) => {
    const changed = change(text)
    expect(changed).not.toBe(text)
    expect(refusal(changed)).toContain(reason)
  })

  it('that is not UTF-8 is refused', () => {
    const bytes = Buffer.from(text)
    bytes[bytes.indexOf('disk')] = 0xff
    expect(() => readManifest(bytes)).toThrow('UTF-8')
  })

  it('that is deep or wide is refused', () => {
    expect(refusal('<a>'.repeat(100_000) + '</a>'.repeat(100_000))).not.toBe('taken')
    expect(refusal(`<manifest ${'a="b" '.repeat(10_000)}/>`)).not.toBe('taken')
  })
})

describe('the key of a bundle', () => {
  const wrapped = { key: manifest.cloudKey, iv: manifest.cloudIv }
  it('is opened by whom it was encrypted for, and by nobody else, with one sentence for every fault', () => {
    expect(unwrapKey(wrapped, cloud.key)).toEqual(key)
    const sentence = 'The key of the bundle was not encrypted for this cloud.'
    for (const bad of ['', '00', wrapped.key.slice(2), `00${wrapped.key.slice(2)}`])
      expect(() => unwrapKey({ ...wrapped, key: bad }, cloud.key)).toThrow(sentence)
    expect(() => unwrapKey(wrapped, stranger.key)).toThrow(sentence)
  })
})
