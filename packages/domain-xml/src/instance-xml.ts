/** instance.xml as text: building it, reading it, and saying precisely what is wrong with one. */
import { INSTANCE_XML_VERSION, instanceShape, nicShape } from './instance-xml-schema.ts'
import type { InstanceXml, Nic } from './instance-xml-schema.ts'
import { BadValue } from './xml-shapes.ts'
import { XmlError, parseXml, serializeDocument } from './xml-tree.ts'
import type { XmlFault } from './xml-tree.ts'

/** Why an instance.xml cannot be read, or a model cannot be written. */
export type InstanceXmlFault = XmlFault | 'not-an-instance' | 'unknown-version' | 'bad-value'

export class InstanceXmlError extends Error {
  override readonly name = 'InstanceXmlError'
  readonly fault: InstanceXmlFault
  /** For 'bad-value': where, as in `/instance/cores`. */
  readonly path: string | undefined

  constructor(fault: InstanceXmlFault, message: string, path?: string) {
    super(`instance.xml: ${message}`)
    this.fault = fault
    this.path = path
  }
}

function asInstanceXmlError(error: unknown): unknown {
  if (error instanceof XmlError) return new InstanceXmlError(error.fault, error.message)
  if (error instanceof BadValue) return new InstanceXmlError('bad-value', error.message, error.path)
  return error
}

/** A model with every element at its default, to be filled in. */
export function emptyInstanceXml(): InstanceXml {
  return instanceShape.read(undefined, '/instance')
}

/** instance.xml of version 2. @throws InstanceXmlError when a text holds what XML cannot carry */
export function buildInstanceXml(instance: InstanceXml): string {
  try {
    const root = instanceShape.write('instance', instance)!
    return serializeDocument({ ...root, attributes: { 'xml-version': INSTANCE_XML_VERSION } })
  } catch (error) {
    throw asInstanceXmlError(error)
  }
}

/** The stub of one interface that is plugged in later, input of the stylesheet's `/nic`. */
export function buildNicXml(nic: Nic): string {
  try {
    const root = nicShape.write('nic', nic)!
    return serializeDocument({
      ...root,
      attributes: { 'xml-version': INSTANCE_XML_VERSION, ...root.attributes },
    })
  } catch (error) {
    throw asInstanceXmlError(error)
  }
}

/**
 * Reads instance.xml of any version up to ours. Missing elements read as their defaults, unknown ones are
 * passed over; a file cut short, followed by rests of another, or with impossible values is an error.
 * @throws InstanceXmlError
 */
export function parseInstanceXml(text: string): InstanceXml {
  try {
    const root = parseXml(text)
    if (root.name !== 'instance') throw new InstanceXmlError('not-an-instance', `its root is <${root.name}>`)
    const version = root.attributes['xml-version'] ?? '0'
    if (!/^[012]$/.test(version)) throw new InstanceXmlError('unknown-version', `version ${version}`)
    const instance = instanceShape.read(root, '/instance')
    if (instance.name === '')
      throw new InstanceXmlError('bad-value', 'it names no instance', '/instance/name')
    return instance
  } catch (error) {
    throw asInstanceXmlError(error)
  }
}

/**
 * Eucalyptus wrote this file in place, so a shorter text over a longer one leaves the old one's tail behind a
 * document that is whole: this reads that document.
 * @throws InstanceXmlError
 */
export function salvageInstanceXml(text: string): InstanceXml {
  try {
    parseXml(text)
  } catch (error) {
    if (error instanceof XmlError && error.documentLength !== undefined) {
      return parseInstanceXml(text.slice(0, error.documentLength))
    }
  }
  return parseInstanceXml(text)
}
