/** The launch's use of the chain: instance.xml in, instance-libvirt.xml out; and its smaller sisters. */
import { readFile } from 'node:fs/promises'
import { DomainXmlError } from './domain-xml-error.ts'
import { parseInstanceXml } from './instance-xml.ts'
import { runTransformChain } from './transform-chain.ts'
import type { DomainXmlKind } from './transform-chain.ts'
import { writeFileAtomically } from './write-file-atomically.ts'
import { find, textOf } from './xml-tree.ts'

export interface TransformDomainOptions {
  instanceXmlPath: string
  /** The admin's libvirt.xsl. */
  stylesheetPath: string
  /** The admin's transforms.d; need not exist. */
  transformsDir: string
  /** Where the domain is written, usually instance-libvirt.xml beside instance.xml. */
  outputPath: string
  /** Of every single step. */
  timeoutMs: number
}

/** A finished document and the files that made it, in order. */
export interface TransformedXml {
  xml: string
  steps: string[]
}

/**
 * Makes the domain of an instance. Nothing is written unless all of it went well.
 * @throws DomainXmlError
 */
export async function transformDomain(options: TransformDomainOptions): Promise<TransformedXml> {
  const { instanceXmlPath, stylesheetPath, transformsDir, outputPath, timeoutMs } = options
  const wanted = await nameIn(instanceXmlPath)
  const { xml, root, steps } = await runTransformChain({
    kind: 'domain',
    input: { path: instanceXmlPath },
    stylesheetPath,
    transformsDir,
    timeoutMs,
    instanceXmlPath,
  })
  const name = textOf(find(root, 'name'))
  if (name !== wanted) {
    throw new DomainXmlError(
      'result',
      steps.at(-1)!,
      `the domain is called '${name}', the instance '${wanted}'`,
    )
  }
  await writeFileAtomically(outputPath, xml, { mode: 0o640 })
  return { xml, steps }
}

async function nameIn(instanceXmlPath: string): Promise<string> {
  try {
    return parseInstanceXml(await readFile(instanceXmlPath, 'utf8')).name
  } catch (cause) {
    throw new DomainXmlError('input', instanceXmlPath, (cause as Error).message, '', { cause })
  }
}

export interface TransformDeviceOptions {
  kind: Exclude<DomainXmlKind, 'domain'>
  /** A stub (`<nic>`, `<volume>`) for the stylesheet; without a stylesheet the device itself. */
  inputXml: string
  /** null where the device is finished already, as volumes' disks are: then only transforms.d is asked. */
  stylesheetPath: string | null
  transformsDir: string
  timeoutMs: number
  /** Of the instance the device is for. */
  instanceXmlPath?: string
}

/** Makes the `<interface>` or `<disk>` of a device that is plugged in later. @throws DomainXmlError */
export async function transformDevice(options: TransformDeviceOptions): Promise<TransformedXml> {
  const { inputXml, ...rest } = options
  const { xml, steps } = await runTransformChain({ ...rest, input: { text: inputXml } })
  return { xml, steps }
}
