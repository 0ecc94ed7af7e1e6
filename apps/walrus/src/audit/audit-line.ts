import type { AuditLine } from '@mallee/agent-contract'
import { claimedSignature, type AwsError } from '@mallee/aws-protocol'
import { parseS3Address } from '@mallee/s3-api'
import type { AccessVisit } from '../logging/access-log.ts'
import { anonymous, type Caller } from '../identity/caller.ts'

/** The line of a call that is about to be answered, without the number that the journal gives it. */
export function auditLine(
  visit: AccessVisit,
  error: AwsError | null,
  eventId: string,
): Omit<AuditLine, 'sequence'> {
  const { raw, key, operation, origin } = visit
  const caller = visit.authenticated?.caller
  const isKnown = caller !== undefined && caller !== anonymous
  const name = bucketOf(visit)
  const parameters = {
    ...(name === undefined ? {} : { bucketName: name }),
    ...(name === undefined || key === undefined ? {} : { key: key.slice(0, 1024).toWellFormed() }),
    method: raw.method,
  }
  return {
    atMs: visit.startedMs,
    eventId,
    requestId: visit.requestId,
    eventName: operation === '' ? 'unknown' : operation,
    accountId: isKnown ? caller.accountId : null,
    principal: isKnown ? principalOf(caller) : null,
    accessKeyId: isKnown ? caller.accessKeyId : claimedKey(visit),
    sourceIp: origin.ip.slice(0, 64),
    userAgent: clean(String(raw.headers['user-agent'] ?? ''), 512),
    readOnly: /^(?:Get|Head|List)/.test(operation),
    management: isManagement(operation),
    secure: origin.secure,
    errorCode: error?.code ?? null,
    errorMessage: error ? clean(error.message, 1024) : null,
    parameters: JSON.stringify(parameters),
    resources: name === undefined ? [] : [`arn:aws:s3:::${name}`],
  }
}

function principalOf({ principal }: Caller): AuditLine['principal'] {
  if (!('accountId' in principal)) return null
  return {
    type: types[principal.kind],
    id: principal.userId,
    arn: principal.arn,
    ...(principal.kind === 'user' ? { userName: principal.userName } : {}),
  }
}

const types = {
  root: 'Root',
  user: 'IAMUser',
  'role-session': 'AssumedRole',
  federated: 'FederatedUser',
} as const

const clean = (text: string, most: number): string => text.slice(0, most).replaceAll('\0', '').toWellFormed()

/** As the request names it: one that is being made is not there yet, and one that is not there was asked for all the same. */
function bucketOf({ raw, bucket }: AccessVisit): string | undefined {
  if (bucket) return bucket.name
  try {
    return parseS3Address(raw.headers['host'] as string | undefined, raw.rawPath)
      .bucket?.slice(0, 255)
      .toWellFormed()
  } catch {
    return undefined // it names none, and was refused for that
  }
}

/** What the request claims, and nothing more. */
function claimedKey({ raw }: AccessVisit): string | null {
  try {
    return claimedSignature(raw as never, 's3').accessKeyId.slice(0, 128)
  } catch {
    return null
  }
}

/** As CloudTrail parts them: what is about objects, their versions and their parts is a data event. */
export function isManagement(operation: string): boolean {
  return operation !== '' && !/Object(?!LockConfiguration)|Part$|Parts$|MultipartUpload/.test(operation)
}
