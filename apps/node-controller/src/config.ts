import { healthListenSchema, tracingSchema, type HealthListen, type TracingConfig } from '@mallee/service-kit'

/** Settings of one node controller; unknown ones are refused at start. */
export interface NodeControllerConfig {
  /** Identity and ledger of the agent. */
  readonly dir: string
  readonly cloudUrl: string
  readonly walrusUrl: string
  /** Holds the token that buys the identity; removed once it has. */
  readonly joinTokenFile: string
  readonly name: string
  readonly instancesDir: string
  readonly imagesDir: string
  /** Where the admin edits: libvirt.xsl, transforms.d and nc-hooks. */
  readonly customDir: string
  readonly hypervisor:
    | { readonly driver: 'libvirt'; readonly socket: string; readonly logDir: string }
    | { readonly driver: 'simulated' }
  readonly network:
    | {
        readonly driver: 'linux'
        readonly uplink: string
        readonly runDir: string
        readonly publicPool: string
        /** Who knows names that are no VPC's, as `address` or `address#port`; the machine's own where absent. */
        readonly nameServers?: readonly string[]
      }
    | { readonly driver: 'simulated' }
  /** Eucalyptus' MAX_CORES and MAX_MEM; what the machine has, times vcpusPerCore, where not set. */
  readonly maxVcpus?: number
  readonly maxMemoryMiB?: number
  readonly vcpusPerCore: number
  readonly reservedMemoryMiB: number
  readonly virtio: { readonly root: boolean; readonly disk: boolean; readonly network: boolean }
  /** Bound of QEMU's translation cache where guests are emulated, in MiB. */
  readonly tbCacheMiB: number
  readonly hookTimeoutMs: number
  /** Images that no instance needs are kept up to this size, in GiB. */
  readonly imageCacheGiB: number
  /** How often guests are measured: monitored ones each time, the others every fifth. */
  readonly sampleSeconds: number
  /** Where a monitor may ask for figures; nowhere where absent. */
  readonly health?: HealthListen
  /** Where OpenTelemetry traces go; nowhere where absent. */
  readonly tracing?: TracingConfig
  readonly logLevel: string
}

const text = { type: 'string', minLength: 1 }
const flag = { type: 'boolean' }
const positive = { type: 'integer', minimum: 1 }
const shape = (required: string[], properties: object) => ({
  type: 'object',
  additionalProperties: false,
  required,
  properties,
})
const simulated = shape(['driver'], { driver: { const: 'simulated' } })

export const nodeControllerSchema = {
  type: 'object',
  additionalProperties: false,
  required: [
    'dir',
    'cloudUrl',
    'walrusUrl',
    'joinTokenFile',
    'name',
    'instancesDir',
    'imagesDir',
    'customDir',
    'hypervisor',
    'network',
  ],
  properties: {
    dir: text,
    cloudUrl: { type: 'string', pattern: '^https://' },
    walrusUrl: { type: 'string', pattern: '^https://' },
    joinTokenFile: text,
    name: text,
    instancesDir: text,
    imagesDir: text,
    customDir: text,
    hypervisor: {
      oneOf: [
        shape(['driver', 'socket', 'logDir'], { driver: { const: 'libvirt' }, socket: text, logDir: text }),
        simulated,
      ],
    },
    network: {
      oneOf: [
        shape(['driver', 'uplink', 'runDir', 'publicPool'], {
          driver: { const: 'linux' },
          uplink: text,
          runDir: text,
          publicPool: text,
          nameServers: { type: 'array', items: { type: 'string', pattern: '^[0-9.]+(#[0-9]+)?$' } },
        }),
        simulated,
      ],
    },
    maxVcpus: positive,
    maxMemoryMiB: positive,
    vcpusPerCore: { ...positive, default: 16 },
    reservedMemoryMiB: { type: 'integer', minimum: 0, default: 1024 },
    virtio: {
      ...shape(['root', 'disk', 'network'], { root: flag, disk: flag, network: flag }),
      default: { root: true, disk: true, network: true },
    },
    tbCacheMiB: { ...positive, default: 64 },
    hookTimeoutMs: { ...positive, default: 30_000 },
    imageCacheGiB: { type: 'integer', minimum: 0, default: 20 },
    sampleSeconds: { type: 'integer', minimum: 1, maximum: 600, default: 60 },
    health: healthListenSchema,
    tracing: tracingSchema,
    logLevel: { enum: ['debug', 'info', 'warn', 'error'], default: 'info' },
  },
}
