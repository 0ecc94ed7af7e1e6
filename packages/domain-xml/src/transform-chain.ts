/**
 * From a stub (instance.xml, a nic, a volume) to what libvirt is given: the admin's stylesheet, then
 * everything in transforms.d in the order of its names. Files are looked at anew each time, so an edit holds
 * from the next launch on, and every step is a command that an admin can run by hand to see the same.
 */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DomainXmlError } from './domain-xml-error.ts'
import type { TransformStage } from './domain-xml-error.ts'
import { runFilter } from './run-filter.ts'
import { parseXml } from './xml-tree.ts'
import type { XmlElement } from './xml-tree.ts'

/** What is being made; it is also the name of the result's root. */
export type DomainXmlKind = 'domain' | 'interface' | 'disk'

export interface ChainOptions {
  kind: DomainXmlKind
  /** Of the stub, or of finished XML when there is no stylesheet. */
  input: { path: string } | { text: string }
  /**
   * null: the input is finished XML and only transforms.d is asked (volumes, whose disk is described
   * elsewhere).
   */
  stylesheetPath: string | null
  /** Need not exist. */
  transformsDir: string
  /** Of every single step. */
  timeoutMs: number
  /** Given to transforms as MALLEE_INSTANCE_XML, empty when unknown. */
  instanceXmlPath?: string
}

export interface ChainResult {
  xml: string
  root: XmlElement
  /** The files that took part, in order. */
  steps: string[]
}

/** libvirt takes no longer string. */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024
/** Two digits, then letters that editors and package tools do not use for their leftovers. */
const TRANSFORM_NAME = /^\d\d-[A-Za-z0-9_.-]+$/
const LEFTOVER = /\.(bak|example|orig|rej|old|swp|dpkg-\w+|rpm(save|new|orig))$/
/** xsltproc goes on, and ends with 0, after a document() that was refused or not there. */
const NOT_LOADED =
  /^(?:I\/O error : Attempt to load network entity|warning: failed to load external entity).*$/m

const filterPath = () => process.env['PATH'] ?? '/usr/bin:/bin'

async function runStylesheet(
  stage: TransformStage,
  stylesheet: string,
  source: { path: string } | { text: string },
  timeoutMs: number,
): Promise<string> {
  const [input, stdin] = 'path' in source ? [source.path, null] : ['-', source.text]
  const { stdout, stderr, failure } = await runFilter({
    file: 'xsltproc',
    args: ['--nonet', '--nowrite', '--nomkdir', stylesheet, input],
    stdin,
    env: { PATH: filterPath(), LC_ALL: 'C.UTF-8' },
    timeoutMs,
    maxOutputBytes: MAX_OUTPUT_BYTES,
  })
  if (failure !== null) throw new DomainXmlError(stage, stylesheet, `xsltproc ${failure}`, stderr)
  if (NOT_LOADED.test(stderr))
    throw new DomainXmlError(stage, stylesheet, 'reads a document it cannot have', stderr)
  return stdout
}

async function runProgram(program: string, xml: string, options: ChainOptions): Promise<string> {
  const { stdout, stderr, failure } = await runFilter({
    file: program,
    args: [options.kind],
    stdin: xml,
    env: {
      PATH: filterPath(),
      LC_ALL: 'C.UTF-8',
      MALLEE_KIND: options.kind,
      MALLEE_INSTANCE_XML: options.instanceXmlPath ?? '',
    },
    timeoutMs: options.timeoutMs,
    maxOutputBytes: MAX_OUTPUT_BYTES,
  })
  if (failure !== null) throw new DomainXmlError('transform', program, failure, stderr)
  return stdout
}

/** The transforms that would run, in order: .xsl files, and others with an execute bit. */
export async function listTransforms(transformsDir: string): Promise<string[]> {
  let names: string[]
  try {
    names = await readdir(transformsDir)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new DomainXmlError('transform', transformsDir, 'cannot be read', '', { cause: error })
  }
  const candidates = names.filter((name) => TRANSFORM_NAME.test(name) && !LEFTOVER.test(name)).toSorted()
  const runs = await Promise.all(
    candidates.map(async (name) => {
      const found = await stat(join(transformsDir, name)).catch(() => null)
      return found !== null && found.isFile() && (name.endsWith('.xsl') || (found.mode & 0o111) !== 0)
    }),
  )
  return candidates.filter((_, i) => runs[i]).map((name) => join(transformsDir, name))
}

function checkResult(xml: string, kind: DomainXmlKind, stage: TransformStage, lastFile: string): XmlElement {
  let root: XmlElement
  try {
    root = parseXml(xml)
  } catch (cause) {
    const message = `its result is not well-formed: ${(cause as Error).message}`
    throw new DomainXmlError(stage, lastFile, message, '', { cause })
  }
  if (root.name !== kind)
    throw new DomainXmlError(stage, lastFile, `its result is <${root.name}>, not <${kind}>`)
  return root
}

/**
 * Runs the chain. Every step's result is checked, so that an error names the file that made it. @throws
 * DomainXmlError
 */
export async function runTransformChain(options: ChainOptions): Promise<ChainResult> {
  const { kind, input, stylesheetPath, transformsDir, timeoutMs } = options
  if (stylesheetPath === null && 'path' in input)
    throw new RangeError('input without a stylesheet is given as text')
  const steps: string[] = []
  let xml = 'text' in input ? input.text : ''
  let root: XmlElement
  if (stylesheetPath === null) {
    root = checkResult(xml, kind, 'input', 'input')
  } else {
    xml = await runStylesheet('stylesheet', stylesheetPath, input, timeoutMs)
    root = checkResult(xml, kind, 'stylesheet', stylesheetPath)
    steps.push(stylesheetPath)
  }
  for (const file of await listTransforms(transformsDir)) {
    xml = file.endsWith('.xsl')
      ? await runStylesheet('transform', file, { text: xml }, timeoutMs)
      : await runProgram(file, xml, options)
    root = checkResult(xml, kind, 'transform', file)
    steps.push(file)
  }
  return { xml, root, steps }
}
