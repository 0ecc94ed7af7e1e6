import {
  auditBlobSchema,
  auditResponseSchema,
  trailFilesRequestSchema,
  trailFilesResponseSchema,
} from './audit.ts'
import { inventoryBlobSchema } from './inventory.ts'
import { consoleBlobSchema, reportSchema, samplesBlobSchema, screenshotBlobSchema } from './observed.ts'
import {
  anything,
  choice,
  flag,
  integer,
  list,
  longText,
  nullable,
  record,
  text,
  type Schema,
  type Shape,
} from './schema.ts'

/** The version that every path carries. The cloud controller serves this one and the one before. */
export const contractVersion = 1

export const agentKinds = ['node', 'storage', 'walrus'] as const
export type AgentKind = (typeof agentKinds)[number]

export const registerRequestSchema = record({
  kind: choice(...agentKinds),
  /** One-time token of this kind, bought from the admin. */
  token: text(),
  name: text({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' }),
  /** PKCS#10 certificate request in PEM; its key never leaves the agent. */
  certificateRequest: longText(16_384),
})
export type RegisterRequest = Shape<typeof registerRequestSchema>

export const registerResponseSchema = record({
  agentId: text(),
  /** CIDR of the public addresses that instances are lent. */
  publicPool: text(),
  availabilityZone: text(),
  region: text(),
  certificate: longText(65_536),
  authority: longText(65_536),
  pollSeconds: integer(1, 120),
})
export type RegisterResponse = Shape<typeof registerResponseSchema>

export const renewRequestSchema = record({ certificateRequest: longText(16_384) })
export const renewResponseSchema = record({ certificate: longText(65_536), authority: longText(65_536) })

/** Answer of the waiting poll: the whole index, and the bodies changed after the revision that the agent named. */
export const desiredResponseSchema = record({
  revision: integer(),
  pollSeconds: integer(1, 120),
  index: list(record({ kind: text(), id: text(), generation: integer(), digest: text() })),
  bodies: list(record({ kind: text(), id: text(), generation: integer(), digest: text(), body: anything() })),
})
export type DesiredResponse = Shape<typeof desiredResponseSchema>

export const reportResponseSchema = record({ accepted: flag(), sequence: integer() })
export type ReportResponse = Shape<typeof reportResponseSchema>

/** What the metadata service answers of a role; credentials where `code` is `Success`. */
export const roleCredentialsSchema = record(
  {
    code: choice('Success', 'AssumeRoleUnauthorizedAccess', 'InstanceProfileNotFound'),
    message: text(),
    updatedAtMs: integer(),
  },
  {
    roleName: text(),
    accessKeyId: text(),
    secretAccessKey: text(),
    token: longText(16_384),
    expiresAtMs: integer(),
  },
)
export type RoleCredentials = Shape<typeof roleCredentialsSchema>

export interface Route<Request, Response> {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly path: string
  readonly doc: string
  readonly request: Schema<Request> | null
  readonly response: Schema<Response> | null
}

const route = <Request, Response>(spec: Route<Request, Response>): Route<Request, Response> => spec

const base = `/agent/v${contractVersion}`

/** Described once: the cloud's routes, the agents' client and openapi.json all come from this value. */
export const agentRoutes = {
  register: route({
    method: 'POST',
    path: `${base}/register`,
    doc: 'Buys the first certificate with a join token. The only route that needs no certificate.',
    request: registerRequestSchema,
    response: registerResponseSchema,
  }),
  renew: route({
    method: 'POST',
    path: `${base}/renew`,
    doc: 'Renews the certificate over the connection that the old one made.',
    request: renewRequestSchema,
    response: renewResponseSchema,
  }),
  desired: route({
    method: 'GET',
    path: `${base}/desired`,
    doc: 'Holds until the set is newer than ?revision=n or ?wait=seconds have passed (then 204). The asking is the heartbeat.',
    request: null,
    response: desiredResponseSchema,
  }),
  observed: route({
    method: 'POST',
    path: `${base}/observed`,
    doc: 'Records facts; a sequence that is not newer is ignored, so repeating is harmless.',
    request: reportSchema,
    response: reportResponseSchema,
  }),
  console: route({
    method: 'PUT',
    path: `${base}/blobs/console/:instanceId`,
    doc: 'The latest serial console output of an instance.',
    request: consoleBlobSchema,
    response: null,
  }),
  screenshot: route({
    method: 'PUT',
    path: `${base}/blobs/screenshot/:instanceId`,
    doc: "The screen of an instance's guest.",
    request: screenshotBlobSchema,
    response: null,
  }),
  samples: route({
    method: 'PUT',
    path: `${base}/blobs/samples`,
    doc: 'What guests of this node used; a sample that was sent before changes nothing.',
    request: samplesBlobSchema,
    response: null,
  }),
  roleCredentials: route({
    method: 'GET',
    path: `${base}/role-credentials/:instanceId`,
    doc: 'Credentials of the role in the profile of an instance of this node, made anew at every asking.',
    request: null,
    response: roleCredentialsSchema,
  }),
  inventory: route({
    method: 'PUT',
    path: `${base}/blobs/inventory`,
    doc: 'What really is on the host, in answer to the count of the inventory item.',
    request: inventoryBlobSchema,
    response: null,
  }),
  audit: route({
    method: 'PUT',
    path: `${base}/blobs/audit`,
    doc: 'Calls that walrus answered, and what its buckets hold. Lines that were sent before are not kept twice.',
    request: auditBlobSchema,
    response: auditResponseSchema,
  }),
  trailFiles: route({
    method: 'PUT',
    path: `${base}/blobs/trail-files`,
    doc: 'Says which files of trails walrus has written, and answers those that it is to write. Repeating is harmless.',
    request: trailFilesRequestSchema,
    response: trailFilesResponseSchema,
  }),
} as const

export const errorResponseSchema = record({ code: text(), message: text() }, { retryable: nullable(flag()) })
