import {
  anything,
  choice,
  flag,
  integer,
  list,
  longText,
  mapOf,
  nullable,
  record,
  text,
  type Schema,
  type Shape,
} from './schema.ts'
import { diskImportFactsSchema } from './disk-imports.ts'
import { flowLogFactsSchema } from './flow-logs.ts'
import {
  attachedFactsSchema,
  exportFactsSchema,
  readableSnapshotFactsSchema,
  snapshotFactsSchema,
  volumeFactsSchema,
} from './storage.ts'

/** What an agent says of itself: what it can hold, what it runs on, and what is wrong. */
export const nodeFingerprintSchema = record({
  vcpus: integer(),
  memoryMiB: integer(),
  diskGiB: integer(),
  architecture: choice('x86_64', 'arm64', 'i386'),
  /** `kvm` only where a guest was really run with it (DECISIONS 26). */
  accelerator: choice('kvm', 'qemu', 'simulated'),
  acceleratorReason: text(),
  hypervisor: text(),
  network: text(),
  hostname: text(),
  /** The node's address on its uplink; absent from nodes of the first release. */
  address: nullable(text()),
  healthy: flag(),
  problems: list(text(), 100),
})
export type NodeFingerprint = Shape<typeof nodeFingerprintSchema>

export const walrusFingerprintSchema = record({
  driver: text(),
  totalBytes: integer(),
  freeBytes: integer(),
  healthy: flag(),
  problems: list(text(), 100),
})
export type WalrusFingerprint = Shape<typeof walrusFingerprintSchema>

/** An interface of a running domain, or one that it is to have: by its attachment, or by its MAC where nobody knows it. */
export const pluggedInterfaceSchema = record({
  attachmentId: text(),
  state: choice('attaching', 'attached', 'detaching', 'failed'),
  message: nullable(text()),
})
export type PluggedInterface = Shape<typeof pluggedInterfaceSchema>

/**
 * What a node knows of a domain item:
 * - `preparing`: bytes, disk and port are being made ready; not started;
 * - `running`: libvirt shows it running (or paused by its host);
 * - `ended`: it was started once and is no more, see `endReason`; its disk may remain;
 * - `failed`: it could not be started and will not be tried again under this item; see `message`;
 * - `gone`: nothing of the incarnation is left (after `remove`, nothing of the instance).
 */
export const domainFactsSchema = record(
  {
    state: choice('preparing', 'running', 'ended', 'failed', 'gone'),
    /** How an ended domain ended: by the guest's own shutdown, or by anything else. */
    endReason: nullable(choice('shutdown', 'crashed', 'destroyed', 'failed', 'lost')),
    message: nullable(text()),
    startedAtMs: nullable(integer()),
    diskLost: flag(),
    rebootCount: integer(),
    accelerator: nullable(choice('kvm', 'qemu', 'simulated')),
  },
  {
    /** Of a domain that runs; left out where it has none and none is to be plugged in. */
    volumes: list(attachedFactsSchema, 80),
    /** Of a domain that runs; left out where it has exactly those of its item. */
    interfaces: list(pluggedInterfaceSchema, 32),
  },
)
export type DomainFacts = Shape<typeof domainFactsSchema>

/** Whether the network of a VPC item stands as the item says. */
export const vpcFactsSchema = record({ applied: flag(), message: nullable(text()) })
export type VpcFacts = Shape<typeof vpcFactsSchema>

/**
 * What walrus knows of an image's object:
 * - `making`: it is making it, see `progress`;
 * - `available`: it was read or written whole, and is what the rest says;
 * - `failed`: it is no usable image, see `message`;
 * - `gone`: nothing of what walrus made is left, as was asked.
 */
export const imageObjectFactsSchema = record(
  {
    state: choice('making', 'available', 'failed', 'gone'),
    message: nullable(text()),
    format: nullable(choice('raw', 'qcow2', 'kernel', 'ramdisk')),
    sizeBytes: nullable(integer()),
    virtualSizeBytes: nullable(integer()),
    sha256: nullable(text()),
  },
  {
    /** Of a machine image: a whole disk, or one file system without a boot loader. */
    layout: choice('disk', 'partition'),
    /** Percent. */
    progress: integer(0, 100),
  },
)
export type ImageObjectFacts = Shape<typeof imageObjectFactsSchema>

export const accessKeyFactsSchema = record({ applied: flag() })
export type AccessKeyFacts = Shape<typeof accessKeyFactsSchema>

/** What a manifest says, and whether its owner may read it. What it says is the customer's word. */
export const manifestFactsSchema = record({
  state: choice('read', 'unreadable', 'malformed'),
  message: nullable(text()),
  kind: nullable(choice('machine', 'kernel', 'ramdisk')),
  architecture: nullable(text()),
  kernelId: nullable(text()),
  ramdiskId: nullable(text()),
  /** Where it maps the root to, without `/dev/`. */
  rootDevice: nullable(text()),
  sizeBytes: nullable(integer()),
})
export type ManifestFacts = Shape<typeof manifestFactsSchema>

/** How far the bundling of an instance's disk is. `complete`: the manifest, which comes last, is there. */
export const bundleFactsSchema = record({
  state: choice('bundling', 'complete', 'failed'),
  /** Percent. */
  progress: integer(0, 100),
  message: nullable(text()),
})
export type BundleFacts = Shape<typeof bundleFactsSchema>

export const factSchemas = {
  domain: domainFactsSchema,
  vpc: vpcFactsSchema,
  'image-object': imageObjectFactsSchema,
  'access-key': accessKeyFactsSchema,
  manifest: manifestFactsSchema,
  bundle: bundleFactsSchema,
  'flow-log': flowLogFactsSchema,
  volume: volumeFactsSchema,
  export: exportFactsSchema,
  snapshot: snapshotFactsSchema,
  'readable-snapshot': readableSnapshotFactsSchema,
  'disk-import': diskImportFactsSchema,
} as const
export type FactsOf<K extends keyof typeof factSchemas> = Shape<(typeof factSchemas)[K]>

export const observationSchema = record({
  kind: choice(
    ...(['domain', 'vpc', 'image-object', 'access-key', 'manifest', 'bundle', 'flow-log'] as const),
    ...(['volume', 'export', 'snapshot', 'readable-snapshot', 'disk-import'] as const),
  ),
  id: text(),
  generation: integer(),
  facts: anything(),
})
export interface Observation<K extends keyof typeof factSchemas = keyof typeof factSchemas> {
  kind: K
  id: string
  generation: number
  facts: FactsOf<K>
}

/** `sequence` grows with every report of one agent, across its restarts: an older report is ignored. */
export const reportSchema = record({
  sequence: integer(1),
  /** Highest revision of the desired set that the agent holds in its ledger. */
  revision: integer(),
  fingerprint: mapOf(anything()),
  observations: list(observationSchema),
  /** Ids of things found on the host that no item of the set declares; never touched without being asked. */
  undeclared: list(text(), 10_000),
})
export type Report = Shape<typeof reportSchema>

export const blobKinds = ['console', 'screenshot'] as const
export const maxBlobBytes = 65_536
export const consoleBlobSchema = record({
  /** The domain item's `consoleCount` that this answers. */
  count: integer(),
  takenAtMs: integer(),
  /** Base64 of the last 64 KiB of the serial console. */
  output: longText(131_072),
})
export type ConsoleBlob = Shape<typeof consoleBlobSchema>

export const screenshotBlobSchema = record({
  /** The domain item's `screenshotCount` that this answers. */
  count: integer(),
  takenAtMs: integer(),
  /** Base64 of a JPEG of the guest's screen; null where it has none to show. */
  image: nullable(longText(700_000)),
})
export type ScreenshotBlob = Shape<typeof screenshotBlobSchema>

/** What a guest did in one period, measured from outside; bytes are of the period, CPU is percent of all its vCPUs. */
export const samplesBlobSchema = record({
  samples: list(
    record({
      instanceId: text(),
      atMs: integer(),
      periodSeconds: integer(1, 3600),
      cpuPercent: { json: { type: 'number', minimum: 0, maximum: 100 } } as Schema<number>,
      diskReadBytes: integer(),
      diskWriteBytes: integer(),
      networkInBytes: integer(),
      networkOutBytes: integer(),
    }),
    1000,
  ),
})
export type SamplesBlob = Shape<typeof samplesBlobSchema>
export type Sample = SamplesBlob['samples'][number]
