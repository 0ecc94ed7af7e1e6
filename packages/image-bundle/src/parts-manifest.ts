import { XMLParser } from 'fast-xml-parser'
import { BundleRefused } from './bundle-refused.ts'

export const maxPartsManifestBytes = 4 * 1024 * 1024
const mostParts = 10_000

export interface DiskPart {
  readonly key: string
  readonly sizeBytes: number
}

/**
 * The manifest that EC2's older tools upload beside the parts of a disk, for ImportVolume and ImportInstance.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DiskImageDetail.html
 */
export interface PartsManifest {
  /** Of all parts together. */
  readonly sizeBytes: number
  /** In the order of their bytes. */
  readonly parts: readonly DiskPart[]
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  isArray: (name) => name === 'part',
})

interface Part {
  '@index'?: string
  'byte-range'?: { '@start'?: string; '@end'?: string }
  key?: string
}

/** Throws BundleRefused for what is none, or whose parts leave a gap. */
export function readPartsManifest(bytes: Buffer): PartsManifest {
  const text = bytes.toString('utf8')
  if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) throw new BundleRefused('The manifest is not well-formed.')
  let found: { manifest?: { import?: { size?: string; parts?: { part?: Part[] } } } }
  try {
    found = parser.parse(text) as typeof found
  } catch {
    throw new BundleRefused('The manifest is not well-formed.')
  }
  const described = found.manifest?.import
  const parts = described?.parts?.part ?? []
  const sizeBytes = wholeNumber(described?.size)
  if (!described || sizeBytes === null || sizeBytes === 0 || parts.length === 0)
    throw new BundleRefused('The manifest names no disk and its parts.')
  if (parts.length > mostParts) throw new BundleRefused(`The manifest names more than ${mostParts} parts.`)
  const inOrder = parts.map(readPart).toSorted((a, b) => a.start - b.start)
  let at = 0
  for (const { start, end } of inOrder) {
    if (start !== at) throw new BundleRefused('The parts of the manifest leave a gap, or overlap.')
    at = end + 1
  }
  if (at !== sizeBytes)
    throw new BundleRefused(`The parts of the manifest have ${at} bytes, and the disk ${sizeBytes}.`)
  return { sizeBytes, parts: inOrder.map(({ key, start, end }) => ({ key, sizeBytes: end - start + 1 })) }
}

function readPart(part: Part): { key: string; start: number; end: number } {
  const [start, end] = [
    wholeNumber(part['byte-range']?.['@start']),
    wholeNumber(part['byte-range']?.['@end']),
  ]
  const { key } = part
  if (
    start === null ||
    end === null ||
    end < start ||
    typeof key !== 'string' ||
    key === '' ||
    key.length > 1024
  )
    throw new BundleRefused('The manifest names a part without its key or its range of bytes.')
  return { key, start, end }
}

function wholeNumber(text: unknown): number | null {
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : null
}
