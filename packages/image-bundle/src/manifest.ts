/**
 * The manifest of a bundled image, version 2007-10-10, as bundle tools of EC2 and Eucalyptus write it. Digests and
 * encrypted values are hexadecimal.
 */
export interface BundleManifest {
  readonly bundler: { readonly name: string; readonly version: string; readonly release: string }
  readonly architecture: string
  readonly blockDevices: readonly { readonly virtual: string; readonly device: string }[]
  readonly productCodes: readonly string[]
  /** The literal `true` marks an image that is itself a kernel. */
  readonly kernelId: string | null
  /** The literal `true` marks an image that is itself a ramdisk. */
  readonly ramdiskId: string | null
  readonly name: string
  /** The account that bundled it, as it says of itself. */
  readonly user: string
  readonly type: ImageKind
  /** SHA-1 of the tar archive that holds the image. */
  readonly digest: string
  /** Bytes of the image. */
  readonly sizeBytes: number
  /** Bytes of all parts together. */
  readonly bundledBytes: number
  /** Key and initialisation vector, each encrypted for the cloud and for the user; those of the user may be empty. */
  readonly cloudKey: string
  readonly userKey: string
  readonly cloudIv: string
  readonly userIv: string
  readonly ancestors: readonly string[]
  readonly parts: readonly BundlePart[]
  /** Over machine_configuration and image, hexadecimal, or `UNSIGNED`. Not verified, as by Eucalyptus since 4.2. */
  readonly signature: string
}

export type ImageKind = 'machine' | 'kernel' | 'ramdisk'

export interface BundlePart {
  readonly filename: string
  /** SHA-1 of the part's bytes. */
  readonly digest: string
}

export const manifestVersion = '2007-10-10'
/** Bytes; Eucalyptus' default of cloud.images.maxmanifestsizebytes. */
export const maxManifestBytes = 2 * 1024 * 1024
/** 10 MiB each: some 100 GiB. */
export const maxParts = 10_000
/** What tells a manifest among objects. */
export const manifestSuffix = '.manifest.xml'

/** What the image is: by its type, or by the `true` with which older tools mark kernels and ramdisks. */
export function kindOf(manifest: Pick<BundleManifest, 'type' | 'kernelId' | 'ramdiskId'>): ImageKind {
  if (manifest.type === 'kernel' || manifest.kernelId === 'true') return 'kernel'
  if (manifest.type === 'ramdisk' || manifest.ramdiskId === 'true') return 'ramdisk'
  return 'machine'
}

/** The key of a part: beside its manifest. */
export function partKey(manifestKey: string, part: BundlePart): string {
  return manifestKey.slice(0, manifestKey.lastIndexOf('/') + 1) + part.filename
}
