/**
 * instance.xml on disk. It is rewritten at every change of state and read back after a restart, so it is
 * replaced in one step, and the copy before it is kept: `instance.xml.previous` is always one that could be
 * read.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildInstanceXml, parseInstanceXml, salvageInstanceXml } from './instance-xml.ts'
import type { InstanceXml } from './instance-xml-schema.ts'
import { writeFileAtomically } from './write-file-atomically.ts'

const CURRENT = 'instance.xml'
const PREVIOUS = 'instance.xml.previous'

export interface InstanceXmlOnDisk {
  instance: InstanceXml
  /**
   * 'salvaged': the current file with another's rests behind it; 'previous': one state older than the last.
   */
  source: 'current' | 'salvaged' | 'previous'
  /** Why the current file was not taken as it is. */
  fault: Error | null
}

/** Where an instance's files are. */
export function instanceXmlPath(instanceDir: string): string {
  return join(instanceDir, CURRENT)
}

/** Replaces instance.xml in `instanceDir`; the one before it, if it can be read, becomes the previous. */
export async function writeInstanceXml(instanceDir: string, instance: InstanceXml): Promise<void> {
  const path = instanceXmlPath(instanceDir)
  const data = buildInstanceXml(instance)
  const keeps = await isReadable(path)
  await writeFileAtomically(path, data, {
    mode: 0o640,
    ...(keeps && { keepAs: join(instanceDir, PREVIOUS) }),
  })
}

async function isReadable(path: string): Promise<boolean> {
  try {
    parseInstanceXml(await readFile(path, 'utf8'))
    return true
  } catch {
    return false
  }
}

/**
 * Reads what is known of the instance: the current file; else, where only something follows a whole document
 * in it, that document; else the previous one.
 * @throws the current file's error (InstanceXmlError, or the system's) when nothing can be read
 */
export async function readInstanceXml(instanceDir: string): Promise<InstanceXmlOnDisk> {
  let fault: Error
  try {
    const text = await readFile(instanceXmlPath(instanceDir), 'utf8')
    try {
      return { instance: parseInstanceXml(text), source: 'current', fault: null }
    } catch (error) {
      fault = error as Error
      return { instance: salvageInstanceXml(text), source: 'salvaged', fault }
    }
  } catch (error) {
    fault = error as Error
  }
  try {
    const text = await readFile(join(instanceDir, PREVIOUS), 'utf8')
    return { instance: parseInstanceXml(text), source: 'previous', fault }
  } catch {
    throw fault
  }
}
