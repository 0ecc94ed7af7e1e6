import { choice, flag, integer, list, longText, nullable, record, text, type Shape } from './schema.ts'

/** A call that walrus answered, as the cloud's audit keeps it. JSON where the cloud only passes it on. */
export const auditLineSchema = record({
  /** Of this agent's journal: rises by one. */
  sequence: integer(1),
  atMs: integer(),
  eventId: text({ maxLength: 64 }),
  requestId: text({ maxLength: 64 }),
  eventName: text({ maxLength: 128 }),
  /** Null where nobody was authenticated. */
  accountId: nullable(text({ maxLength: 64 })),
  /** Who asked, in CloudTrail's words; null where nobody was authenticated. */
  principal: nullable(
    record(
      {
        type: choice('Root', 'IAMUser', 'AssumedRole', 'FederatedUser'),
        id: text({ maxLength: 256 }),
        arn: text({ maxLength: 2048 }),
      },
      { userName: text({ maxLength: 128 }) },
    ),
  ),
  accessKeyId: nullable(text({ maxLength: 128 })),
  sourceIp: text({ maxLength: 64 }),
  userAgent: text({ maxLength: 512 }),
  readOnly: flag(),
  management: flag(),
  secure: flag(),
  errorCode: nullable(text({ maxLength: 128 })),
  errorMessage: nullable(text({ maxLength: 1024 })),
  /** JSON of an object. */
  parameters: nullable(longText(16_384)),
  /** ARNs. */
  resources: list(text({ maxLength: 2048 }), 100),
})
export type AuditLine = Shape<typeof auditLineSchema>

export const auditBlobSchema = record({
  lines: list(auditLineSchema, 500),
  /** What buckets hold, at one moment; empty where it is not time to say so. */
  buckets: list(record({ bucket: text(), accountId: text(), bytes: integer() }), 100_000),
  takenAtMs: integer(),
})
export type AuditBlob = Shape<typeof auditBlobSchema>

/** Files of trails that were written, or why not; and in answer those that are to be. */
export const trailFilesRequestSchema = record({
  done: list(record({ id: text(), error: nullable(text({ maxLength: 1024 })) }), 100),
})
export type TrailFilesRequest = Shape<typeof trailFilesRequestSchema>

export const trailFileSchema = record({
  id: text(),
  /** Whose the bucket must be. */
  accountId: text(),
  bucket: text(),
  key: text(),
  /** Base64 of the object. */
  content: longText(64 * 1024 * 1024),
})
export type TrailFile = Shape<typeof trailFileSchema>

export const trailFilesResponseSchema = record({ files: list(trailFileSchema, 100) })
export type TrailFilesResponse = Shape<typeof trailFilesResponseSchema>

/** Lines up to this one are kept, and need not be sent again. */
export const auditResponseSchema = record({ sequence: integer() })
export type AuditResponse = Shape<typeof auditResponseSchema>
