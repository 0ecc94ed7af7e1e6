import { newUuid } from '@mallee/base'
import { claimedSignature, type ServiceModel } from '@mallee/aws-protocol'
import type { Caller } from '../identity/caller.ts'
import type { RawRequest } from '../http/raw-request.ts'
import type { Visit } from '../http/visit.ts'
import { isReadOnly, type ApiCall } from './api-call.ts'
import { idsIn, keptParameters } from './call-parameters.ts'
import { identityOf, unknownIdentity } from './user-identity.ts'

/** What the rooms of a door leave behind for the audit, as they learn it. */
export interface Seen {
  /** The action, once it is known to be one of ours; for figures. */
  action: string
  /** As the request names it, known or not. */
  asked?: string
  /** Once the signature was verified. */
  caller?: Caller
  /** As they came: a form's tree or a document. */
  parameters?: Parameters<typeof keptParameters>[0]
  /** Ids that the action's transaction touched. */
  resources?: readonly string[]
}

/** Characters kept of what a client says of itself. */
const longest = { name: 128, userAgent: 512, message: 1024 }

/** Event sources by the service of a door. */
const eventSources: Readonly<Record<string, string>> = { bootstrap: 'bootstrap', properties: 'properties' }

export function eventSourceOf(service: string): string {
  return `${eventSources[service] ?? service}.amazonaws.com`
}

/** The line of a call that is about to be answered. */
export function callOfVisit(
  visit: Visit,
  service: string,
  model: Pick<ServiceModel, 'shapes'> | undefined,
  error: ApiCall['error'],
): ApiCall {
  const { seen, request } = visit
  const eventName = clean(seen.asked ?? seen.action, longest.name)
  // What nobody signed is kept without its parameters: it is nobody's, and there may be a great deal of it.
  const parameters = seen.caller && seen.parameters ? keptParameters(seen.parameters, model) : null
  const readOnly = isReadOnly(eventName)
  const isBrief = readOnly && error === null
  return {
    atMs: visit.nowMs,
    eventId: newUuid(),
    requestId: visit.requestId,
    eventSource: eventSourceOf(service),
    eventName,
    eventType: 'AwsApiCall',
    identity: seen.caller ? identityOf(seen.caller) : unknownIdentity(claimedKey(request)),
    ...{ sourceIp: request.origin.ip, secure: request.origin.secure },
    userAgent: clean(String(request.headers['user-agent'] ?? ''), longest.userAgent),
    region: visit.deps.settings.region,
    readOnly,
    management: true,
    error: error && { code: clean(error.code, longest.name), message: clean(error.message, longest.message) },
    parameters,
    response: null,
    resources: isBrief ? [] : [...new Set([...(seen.resources ?? []), ...idsIn(parameters)])],
  }
}

/** Neither database takes NUL in a text, and half a character is none. */
function clean(text: string, most: number): string {
  return text.slice(0, most).replaceAll('\0', '').toWellFormed()
}

function claimedKey(request: RawRequest): string | undefined {
  try {
    return claimedSignature(request, 'ec2').accessKeyId
  } catch {
    return undefined
  }
}
