export { BundleRefused } from './bundle-refused.ts'
export {
  kindOf,
  manifestSuffix,
  maxManifestBytes,
  partKey,
  type BundleManifest,
  type BundlePart,
  type ImageKind,
} from './manifest.ts'
export { readManifest } from './read-manifest.ts'
export { signManifest, writeManifest } from './write-manifest.ts'
export { newBundleKey, unwrapKey, wrapKey, type BundleKey } from './bundle-key.ts'
export { bundleImage, type Bundled } from './bundle.ts'
export { tarMembers, type ArchiveMember } from './tar-members.ts'
export { unbundle } from './unbundle.ts'
export {
  maxPartsManifestBytes,
  readPartsManifest,
  type DiskPart,
  type PartsManifest,
} from './parts-manifest.ts'
