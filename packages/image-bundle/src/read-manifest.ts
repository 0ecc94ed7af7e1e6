import { BundleRefused } from './bundle-refused.ts'
import { ElementReader } from './element-reader.ts'
import {
  manifestVersion,
  maxManifestBytes,
  maxParts,
  type BundleManifest,
  type BundlePart,
} from './manifest.ts'

const word = /^[^\p{Cc}]{0,255}$/u
const id = /^[\w-]{1,64}$/
const device = /^[\w./-]{1,64}$/
const sha1 = /^[0-9a-fA-F]{40}$/
const sizeForm = /^[1-9]\d{0,15}$/
/** RSA of 1,024 to 8,192 bits. */
const encrypted = /^(?:[0-9a-fA-F]{2}){128,1024}$/
const encryptedOrNone = /^(?:(?:[0-9a-fA-F]{2}){128,1024})?$/
/** No path: a part lies beside its manifest. */
const filenameForm = /^(?!\.{1,2}$)[^\p{Cc}/\\]{1,255}$/u
const signatureForm = /^(?:UNSIGNED|(?:[0-9a-fA-F]{2}){0,1024})$/

/** Reads a manifest; whatever is not of its one form is refused. Throws BundleRefused. */
export function readManifest(bytes: Uint8Array): BundleManifest {
  if (bytes.length > maxManifestBytes)
    throw new BundleRefused(`The manifest has more than ${maxManifestBytes} bytes.`)
  const root = ElementReader.parse(bytes, 'manifest', 'The manifest')
  root.text('version', new RegExp(`^${manifestVersion}$`))
  const bundler = readBundler(root.element('bundler'))
  const machine = readMachine(root.element('machine_configuration'))
  const image = readImage(root.element('image'))
  const signature = root.text('signature', signatureForm)
  root.end()
  return { bundler, ...machine, ...image, signature }
}

function readBundler(reader: ElementReader): BundleManifest['bundler'] {
  const bundler = {
    name: reader.text('name', word),
    version: reader.text('version', word),
    release: reader.text('release', word),
  }
  reader.end()
  return bundler
}

function readMachine(reader: ElementReader) {
  const architecture = reader.text('architecture', id)
  const mapping = reader.optional('block_device_mapping')
  const blockDevices = (mapping?.all('mapping') ?? []).map((one) => {
    const found = { virtual: one.text('virtual', id), device: one.text('device', device) }
    one.end()
    return found
  })
  mapping?.end()
  const codes = reader.optional('product_codes')
  const productCodes = (codes?.all('product_code') ?? []).map((one) => one.value(id))
  codes?.end()
  const kernelId = reader.optionalText('kernel_id', id)
  const ramdiskId = reader.optionalText('ramdisk_id', id)
  reader.end()
  return { architecture, blockDevices, productCodes, kernelId, ramdiskId }
}

function readImage(reader: ElementReader) {
  const algorithm = ['algorithm', 'AES-128-CBC'] as const
  const image = {
    name: reader.text('name', word),
    user: reader.text('user', /^[\w-]{0,64}$/),
    type: reader.text('type', /^(?:machine|kernel|ramdisk)$/) as BundleManifest['type'],
    digest: reader.text('digest', sha1, ['algorithm', 'SHA1']).toLowerCase(),
    sizeBytes: sizeOf(reader.text('size', sizeForm)),
    bundledBytes: sizeOf(reader.text('bundled_size', sizeForm)),
    cloudKey: reader.text('ec2_encrypted_key', encrypted, algorithm),
    userKey: reader.text('user_encrypted_key', encryptedOrNone),
    cloudIv: reader.text('ec2_encrypted_iv', encrypted),
    userIv: reader.text('user_encrypted_iv', encryptedOrNone),
    ancestors: readAncestors(reader.optional('ancestry')),
    parts: readParts(reader.element('parts')),
  }
  reader.end()
  return image
}

function sizeOf(text: string): number {
  const size = Number(text)
  if (!Number.isSafeInteger(size)) throw new BundleRefused('The manifest names a size that cannot be.')
  return size
}

function readAncestors(reader: ElementReader | null): string[] {
  const found = (reader?.all('ancestor_ami_id') ?? []).map((one) => one.value(id))
  reader?.end()
  return found
}

function readParts(reader: ElementReader): BundlePart[] {
  const elements = reader.all('part')
  reader.end()
  if (elements.length === 0) throw new BundleRefused('The manifest names no parts.')
  if (elements.length > maxParts) throw new BundleRefused(`The manifest names more than ${maxParts} parts.`)
  if (reader.attribute('count') !== String(elements.length))
    throw new BundleRefused('The manifest names another number of parts than it lists.')
  const parts = elements.map((one, index) => {
    if (one.attribute('index') !== String(index))
      throw new BundleRefused(`The part at place ${index} of the manifest has another index.`)
    const part = {
      filename: one.text('filename', filenameForm),
      digest: one.text('digest', sha1, ['algorithm', 'SHA1']).toLowerCase(),
    }
    one.end()
    return part
  })
  if (new Set(parts.map(({ filename }) => filename)).size !== parts.length)
    throw new BundleRefused('The manifest names a part twice.')
  return parts
}
