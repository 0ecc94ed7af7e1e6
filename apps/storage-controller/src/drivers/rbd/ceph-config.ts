/** A pool of a Ceph cluster that somebody else keeps, and as whom we come. */
export interface CephConfig {
  /** Ceph's own configuration: where its monitors are, and the file that holds our key. */
  readonly conf: string
  /** Without `client.`; it needs `profile rbd` on monitors and managers, and on the pool. */
  readonly user: string
  readonly pool: string
}

const file = { type: 'string', pattern: '^/[^,\\s]{1,500}$' }
const name = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$' }

export const cephSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['conf', 'user', 'pool'],
  properties: { conf: file, user: name, pool: name },
}
