import { cephSchema, type CephConfig } from './drivers/rbd/ceph-config.ts'
import { healthListenSchema, type HealthListen } from '@mallee/service-kit'

/** Settings of one storage controller; unknown ones are refused at start. */
export interface StorageControllerConfig {
  /** Identity and ledger of the agent. */
  readonly dir: string
  readonly dataDir: string
  /**
   * - `file`: volumes are files of this machine;
   * - `ceph-rbd`: they are images in a pool of a Ceph cluster;
   * - `simulated`: in memory, reached by nobody; for trials of the cloud.
   */
  readonly driver: 'file' | 'ceph-rbd' | 'simulated'
  /** Of `ceph-rbd`. */
  readonly ceph?: CephConfig
  readonly cloudUrl: string
  readonly joinTokenFile: string
  readonly name: string
  /** Where snapshots go; without it volumes can be had and no snapshots of them. */
  readonly walrusUrl?: string
  /** Pid files and sockets of the target daemon and of what holds its file system; beside the identity where absent. */
  readonly runDir?: string
  /** Where initiators reach the volumes. */
  readonly portal: {
    readonly host: string
    readonly port: number
    /** The host that nodes are told; without it, they take the one under which they know the cloud controller. */
    readonly advertise?: string
  }
  /** Where a monitor may ask for figures; nowhere where absent. */
  readonly health?: HealthListen
  readonly logLevel: string
}

const text = { type: 'string', minLength: 1 }

export const storageControllerSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['dir', 'dataDir', 'cloudUrl', 'joinTokenFile', 'name'],
  properties: {
    dir: text,
    dataDir: text,
    driver: { enum: ['file', 'ceph-rbd', 'simulated'], default: 'file' },
    ceph: cephSchema,
    cloudUrl: { type: 'string', pattern: '^https://' },
    walrusUrl: { type: 'string', pattern: '^https://' },
    joinTokenFile: text,
    name: text,
    runDir: text,
    portal: {
      type: 'object',
      additionalProperties: false,
      properties: {
        host: { type: 'string', pattern: '^[0-9.]{7,15}$', default: '0.0.0.0' },
        port: { type: 'integer', minimum: 1, maximum: 65_535, default: 3260 },
        advertise: { type: 'string', pattern: '^[A-Za-z0-9.-]{1,253}$' },
      },
      default: {},
    },
    health: healthListenSchema,
    logLevel: { enum: ['debug', 'info', 'warn', 'error'], default: 'info' },
  },
  allOf: [
    {
      if: { type: 'object', properties: { driver: { const: 'ceph-rbd' } }, required: ['driver'] },
      // oxlint-disable-next-line unicorn/no-thenable -- JSON Schema's word
      then: { type: 'object', properties: { ceph: { type: 'object' } }, required: ['ceph'] },
    },
  ],
}
