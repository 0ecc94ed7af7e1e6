import { createSign } from 'node:crypto'
import { manifestVersion, type BundleManifest } from './manifest.ts'

/** The manifest as text, in the one order that its readers know, without white space between elements. */
export function writeManifest(manifest: Omit<BundleManifest, 'signature'>, signature = 'UNSIGNED'): string {
  const { bundler } = manifest
  return `<?xml version="1.0" encoding="UTF-8"?>${element('manifest', [
    element('version', manifestVersion, true),
    element('bundler', [
      element('name', bundler.name, true),
      element('version', bundler.version, true),
      element('release', bundler.release, true),
    ]),
    machineConfiguration(manifest),
    image(manifest),
    element('signature', signature, true),
  ])}\n`
}

/** RSA with SHA-1 over what a signature of a manifest covers; the format knows no other. Hexadecimal. */
export function signManifest(manifest: Omit<BundleManifest, 'signature'>, privateKeyPem: string): string {
  const text = machineConfiguration(manifest) + image(manifest)
  return createSign('RSA-SHA1').update(text).sign(privateKeyPem, 'hex')
}

function machineConfiguration(manifest: Omit<BundleManifest, 'signature'>): string {
  const { blockDevices, productCodes } = manifest
  const mapping = blockDevices.map(({ virtual, device }) =>
    element('mapping', [element('virtual', virtual, true), element('device', device, true)]),
  )
  const codes = productCodes.map((code) => element('product_code', code, true))
  return element('machine_configuration', [
    element('architecture', manifest.architecture, true),
    ...(mapping.length > 0 ? [element('block_device_mapping', mapping)] : []),
    ...(codes.length > 0 ? [element('product_codes', codes)] : []),
    ...(manifest.kernelId === null ? [] : [element('kernel_id', manifest.kernelId, true)]),
    ...(manifest.ramdiskId === null ? [] : [element('ramdisk_id', manifest.ramdiskId, true)]),
  ])
}

function image(manifest: Omit<BundleManifest, 'signature'>): string {
  const cipher = ' algorithm="AES-128-CBC"'
  const sha1 = ' algorithm="SHA1"'
  const parts = manifest.parts.map(({ filename, digest }, index) =>
    element(
      'part',
      [element('filename', filename, true), element('digest', digest, true, sha1)],
      false,
      ` index="${index}"`,
    ),
  )
  const ancestors = manifest.ancestors.map((id) => element('ancestor_ami_id', id, true))
  return element('image', [
    element('name', manifest.name, true),
    element('user', manifest.user, true),
    element('type', manifest.type, true),
    element('digest', manifest.digest, true, sha1),
    element('size', String(manifest.sizeBytes), true),
    element('bundled_size', String(manifest.bundledBytes), true),
    element('ec2_encrypted_key', manifest.cloudKey, true, cipher),
    element('user_encrypted_key', manifest.userKey, true, cipher),
    element('ec2_encrypted_iv', manifest.cloudIv, true),
    element('user_encrypted_iv', manifest.userIv, true),
    ...(ancestors.length > 0 ? [element('ancestry', ancestors)] : []),
    element('parts', parts, false, ` count="${parts.length}"`),
  ])
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

function element(name: string, content: string | string[], isText = false, attributes = ''): string {
  const inner = isText
    ? String(content).replaceAll(/[&<>]/g, (char) => entities[char]!)
    : (content as string[]).join('')
  return `<${name}${attributes}>${inner}</${name}>`
}
