/** instance.xml to libvirt's domain XML by the admin's stylesheet, and back. */
export { DomainXmlError } from './domain-xml-error.ts'
export type { TransformStage } from './domain-xml-error.ts'
export {
  InstanceXmlError,
  buildInstanceXml,
  buildNicXml,
  emptyInstanceXml,
  parseInstanceXml,
  salvageInstanceXml,
} from './instance-xml.ts'
export type { InstanceXmlFault } from './instance-xml.ts'
export { instanceXmlPath, readInstanceXml, writeInstanceXml } from './instance-xml-file.ts'
export type { InstanceXmlOnDisk } from './instance-xml-file.ts'
export type { DiskPath, Disks, InstanceVolume, InstanceXml, Nic, Vbr } from './instance-xml-schema.ts'
export { readDomain } from './read-domain.ts'
export type { DomainDescription, DomainDisk, DomainInterface } from './read-domain.ts'
export { defaultStylesheetPath, exampleHooksDir, exampleTransformsDir } from './shipped-files.ts'
export { listTransforms, runTransformChain } from './transform-chain.ts'
export type { ChainOptions, ChainResult, DomainXmlKind } from './transform-chain.ts'
export { transformDevice, transformDomain } from './transform-domain.ts'
export type { TransformDeviceOptions, TransformDomainOptions, TransformedXml } from './transform-domain.ts'
export { writeFileAtomically } from './write-file-atomically.ts'
export type { WriteOptions } from './write-file-atomically.ts'
export { XmlError, canonicalXml, element, parseXml, serializeXml } from './xml-tree.ts'
export type { XmlElement, XmlFault } from './xml-tree.ts'
