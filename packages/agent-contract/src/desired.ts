import { inventoryItemSchema } from './inventory.ts'
import { vpcItemSchema } from './networks.ts'
import { choice, flag, integer, list, longText, mapOf, nullable, record, text, type Shape } from './schema.ts'
import { flowLogItemSchema } from './flow-logs.ts'
import { diskFormatSchema, diskImportItemSchema } from './disk-imports.ts'
import {
  attachedVolumeSchema,
  connectionItemSchema,
  exportItemSchema,
  readableSnapshotItemSchema,
  snapshotItemSchema,
  volumeItemSchema,
} from './storage.ts'

/**
 * What the cloud wants of an agent: one numbered set. The index is always whole; bodies come for the items that the
 * agent lacks. Sets name bucket, key and digest of bytes in walrus and never a signed URL, which would expire in the
 * ledger (DECISIONS 16).
 */

/**
 * Bytes that walrus holds and that an image consists of. `layout` is there where a machine image is one file system and
 * no disk: the node makes the disk.
 */
export const artifactSchema = record(
  {
    imageId: text(),
    bucket: text(),
    key: text(),
    sha256: text({ pattern: '^[0-9a-f]{64}$' }),
    sizeBytes: integer(),
    format: choice('raw', 'qcow2', 'kernel', 'ramdisk'),
  },
  { layout: choice('partition') },
)
export type Artifact = Shape<typeof artifactSchema>

export const metadataOptionsSchema = record({
  endpointEnabled: flag(),
  tokensRequired: flag(),
  hopLimit: integer(1, 64),
  tagsEnabled: flag(),
})
export type MetadataOptions = Shape<typeof metadataOptionsSchema>

/** A network interface as its guest sees it; where it is plugged in is said by the VPC item. */
export const guestInterfaceSchema = record(
  {
    interfaceId: text(),
    attachmentId: text(),
    deviceIndex: integer(0, 15),
    mac: text({ pattern: '^[0-9a-f]{2}(:[0-9a-f]{2}){5}$' }),
    privateIp: text(),
    publicIp: nullable(text()),
    subnetId: text(),
    subnetCidr: text(),
    vpcId: text(),
    vpcCidr: text(),
    securityGroupIds: list(text()),
    securityGroupNames: list(text()),
  },
  {
    /** Its further private addresses; left out where it has none. */
    secondary: list(record({ privateIp: text(), publicIp: nullable(text()) })),
    /** All of its VPC's blocks; left out where there is only the first. */
    vpcCidrs: list(text()),
  },
)
export type GuestInterface = Shape<typeof guestInterfaceSchema>

/** Whose request it was: the thread through every log, and the trace, if somebody traces. */
const cause = { requestId: nullable(text()), traceparent: nullable(text({ maxLength: 64 })) }

/**
 * Item kind `domain`: one incarnation of an instance, started at most once. `intent`:
 * - `run`: prepare and start it, unless it was started before;
 * - `release`: end it (asking the guest first for `graceMs`) and remove its port, but keep the instance's disk for
 *   the next incarnation on this node;
 * - `remove`: end it and leave nothing of the instance behind.
 */
export const domainItemSchema = record(
  {
    intent: choice('run', 'release', 'remove'),
    instanceId: text(),
    incarnation: integer(1),
    graceMs: integer(),
    rebootCount: integer(),
    consoleCount: integer(),
    accountId: text(),
    userId: text(),
    reservationId: text(),
    launchIndex: integer(),
    launchTimeMs: integer(),
    uuid: text(),
    region: text(),
    availabilityZone: text(),
    instanceType: text(),
    vcpus: integer(1, 512),
    memoryMiB: integer(16),
    diskGiB: integer(1),
    platform: choice('linux', 'windows'),
    architecture: choice('x86_64', 'arm64', 'i386'),
    rootDeviceName: text(),
    /** Null where it boots from a volume; `imageId` then says of what image. */
    machine: nullable(artifactSchema),
    kernel: nullable(artifactSchema),
    ramdisk: nullable(artifactSchema),
    keyName: nullable(text()),
    publicKey: nullable(longText(16_384)),
    userData: nullable(longText(65_536)),
    privateDnsName: text(),
    publicDnsName: text(),
    interfaces: list(guestInterfaceSchema, 16),
    metadata: metadataOptionsSchema,
    tags: mapOf(text()),
  },
  {
    ...cause,
    /** How often its screen was asked for; left out while it never was. */
    screenshotCount: integer(),
    /**
     * How long the guest is asked to shut down before a release ends it; left out where there is no guest to ask.
     */
    releaseGraceMs: integer(),
    /** Whether it is measured every minute; left out where it is not. */
    monitoring: flag(),
    /** The placement group that it was launched into, and which of its partitions; left out where there is none. */
    placementGroup: record({ name: text(), partition: nullable(integer(1)) }),
    imageId: text(),
    /** Whose role's credentials its guest may have, by the route roleCredentials; left out where it has none. */
    instanceProfile: record({ arn: text(), id: text() }),
    /** Its identity document with the cloud's signatures; added when the item leaves for its node. */
    identity: record({ document: longText(8192), signature: text(), pkcs7: longText(16_384) }),
    /** Left out where it has none. */
    volumes: list(attachedVolumeSchema, 40),
  },
)
export type DomainItem = Shape<typeof domainItemSchema>

/** Item kind `access-key`, for walrus: it answers S3 while the cloud controller is away. The secret is sealed. */
export const accessKeyItemSchema = record(
  {
    accessKeyId: text(),
    secretAccessKey: text(),
    accountId: text(),
    canonicalId: text(),
    accountName: text(),
    userId: text(),
    userName: text(),
    enabled: flag(),
  },
  {
    /** Whether Signature Version 2 is taken of it; not, where absent. */
    legacySignatures: flag(),
    /** The `principal` whose policies bind it; of the account's root, which none binds, left out. */
    principalId: text(),
  },
)
export type AccessKeyItem = Shape<typeof accessKeyItemSchema>

const policyText = () => record({ id: text({ maxLength: 2048 }), document: longText(131_072) })

/** Item kind `principal`, for walrus: a user, a role or an account's root, with all policies that bear on it. */
export const principalItemSchema = record(
  {
    principalId: text(),
    kind: choice('root', 'user', 'role'),
    accountId: text(),
    accountName: text(),
    canonicalId: text(),
    name: text(),
    arn: text({ maxLength: 2048 }),
    /** Its own and its groups'. */
    policies: list(policyText(), 1000),
    tags: mapOf(text({ maxLength: 256 })),
  },
  {
    boundary: policyText(),
    /** The account's, of which only what they deny counts; left out where there are none. */
    account: list(policyText(), 1000),
  },
)
export type PrincipalItem = Shape<typeof principalItemSchema>

/** Item kind `session-key`, for walrus: opens the tokens of temporary credentials. Sealed. */
export const sessionKeyItemSchema = record({
  id: text(),
  /** Base64 of 32 bytes. */
  key: text(),
})
export type SessionKeyItem = Shape<typeof sessionKeyItemSchema>

/**
 * Item kind `image-object`, for walrus: an object that was registered as an image. Walrus reads it whole once and
 * reports format, size and digest; from then on node agents may fetch it with their certificates.
 */
export const imageObjectItemSchema = record(
  {
    imageId: text(),
    accountId: text(),
    bucket: text(),
    key: text(),
    /** What the object must be: a bootable disk or file system, a kernel or an initial ramdisk. */
    kind: choice('machine', 'kernel', 'ramdisk'),
  },
  {
    ...cause,
    /**
     * Where there is no such object yet, walrus makes it: of the bytes of another of the same account, which must have
     * this digest. The bucket is made too, as the account's own.
     */
    copyOf: record({
      bucket: text(),
      key: text(),
      sha256: text({ pattern: '^[0-9a-f]{64}$' }),
      canonicalId: text(),
      accountName: text(),
    }),
    /**
     * Where there is no such object yet, walrus makes it: of what this says, unpacked and converted. The bucket is made
     * too, as the account's own. Not together with `copyOf`.
     */
    madeFrom: record({
      /** Of a bundle, or of a disk of another format. */
      how: choice('bundle', 'import'),
      /** Of the manifest, or of the disk. */
      bucket: text(),
      key: text(),
      canonicalId: text(),
      accountName: text(),
      /** Bytes of the largest disk that may come of it. */
      mostBytes: integer(1),
      /** Of the disk, where it is an import. */
      format: nullable(diskFormatSchema),
    }),
    /** What walrus made by `madeFrom` is to go, and what it is still making; it says `gone` when it is. */
    remove: flag(),
  },
)
export type ImageObjectItem = Shape<typeof imageObjectItemSchema>

/**
 * Item kind `bundling-key`, for walrus: what bundles were encrypted for. The private key is sealed. One item, named
 * `cloud`.
 */
export const bundlingKeyItemSchema = record({ certificate: longText(16_384), privateKey: longText(16_384) })
export type BundlingKeyItem = Shape<typeof bundlingKeyItemSchema>

/** Item kind `manifest`, for walrus: a question of the moment, what the manifest of a bundle says. */
export const manifestItemSchema = record({ accountId: text(), bucket: text(), key: text() }, cause)
export type ManifestItem = Shape<typeof manifestItemSchema>

/**
 * Item kind `bundle`, for nodes: the disk of an instance that is shut down is to be bundled and uploaded, by a form whose
 * policy its owner signed. The signature is sealed.
 */
export const bundleItemSchema = record(
  {
    instanceId: text(),
    accountId: text(),
    architecture: text(),
    kernelId: nullable(text()),
    ramdiskId: nullable(text()),
    bucket: text(),
    /** Of all keys. */
    prefix: text(),
    accessKeyId: text(),
    /** As it was signed: Base64. */
    uploadPolicy: longText(32_768),
    uploadPolicySignature: text(),
    /** What it is encrypted for, PEM. */
    certificate: longText(16_384),
  },
  cause,
)
export type BundleItem = Shape<typeof bundleItemSchema>

/** The schema of an item's body by its kind. */
export const itemSchemas = {
  domain: domainItemSchema,
  vpc: vpcItemSchema,
  'access-key': accessKeyItemSchema,
  principal: principalItemSchema,
  'session-key': sessionKeyItemSchema,
  'image-object': imageObjectItemSchema,
  'bundling-key': bundlingKeyItemSchema,
  manifest: manifestItemSchema,
  'flow-log': flowLogItemSchema,
  bundle: bundleItemSchema,
  volume: volumeItemSchema,
  export: exportItemSchema,
  snapshot: snapshotItemSchema,
  'readable-snapshot': readableSnapshotItemSchema,
  'disk-import': diskImportItemSchema,
  connection: connectionItemSchema,
  inventory: inventoryItemSchema,
} as const
export type ItemKind = keyof typeof itemSchemas
export const itemKinds = Object.keys(itemSchemas) as ItemKind[]
export type ItemBody<K extends ItemKind> = Shape<(typeof itemSchemas)[K]>

/** An item as an agent holds it: its body, and the generation that a report about it must name. */
export interface DesiredItem<K extends ItemKind = ItemKind> {
  readonly kind: K
  readonly id: string
  readonly generation: number
  readonly digest: string
  readonly body: ItemBody<K>
}
