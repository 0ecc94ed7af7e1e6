import { AwsError, type QueryDecoder, type QueryEncoder } from '@mallee/aws-protocol'
import { ec2Model } from '@mallee/ec2-api'
import {
  queryOfBody,
  soapAnswer,
  soapWsdl,
  openMessage,
  type OpenedMessage,
  type VerifiedMessage,
} from '@mallee/soap'
import { ec2ActionByName } from '../actions/ec2-actions.ts'
import type { Caller } from '../identity/caller.ts'
import { findCertificateOwner, takeMessage } from '../store/certificate-store.ts'
import { callerOfKey } from '../store/principal-store.ts'
import { answerEc2 } from './ec2-door.ts'
import { checkEc2Version } from './ec2-version.ts'
import type { RawRequest } from './raw-request.ts'
import type { Answer, Visit } from './visit.ts'

/** Ample for user data of 16 KiB in base64 and a thousand ids beside it. */
const longestMessageBytes = 256 * 1024

/** SOAP is what its content type says; nothing else tells it from a body that is not to be read. */
export function isSoap(request: RawRequest): boolean {
  const type = request.headers['content-type'] ?? ''
  return request.method === 'POST' && /^(?:text\/xml|application\/soap\+xml)\s*(?:;|$)/i.test(type)
}

export function asksForWsdl(request: RawRequest): boolean {
  return request.method === 'GET' && /^wsdl=?$/i.test(request.rawQuery)
}

/** From a signed SOAP message to its answer: the same decoder and the same actions as a query's. */
export async function answerSoap(
  visit: Visit,
  codec: { decoder: QueryDecoder; encoder: QueryEncoder },
): Promise<Answer> {
  if (visit.request.body.length > longestMessageBytes)
    throw new AwsError('InvalidSOAPRequest', `The message is longer than ${longestMessageBytes} bytes.`)
  const { caller, message } = await authenticateMessage(visit, openMessage(visit.request.body))
  const query = queryOfBody(message.body, ec2Model())
  if (query.action !== undefined && ec2ActionByName.has(query.action)) visit.seen.action = query.action
  Object.assign(visit.seen, { caller, asked: query.action, parameters: query.parameters })
  checkEc2Version(query.version)
  const { status, body } = await answerEc2(visit, query, caller, codec)
  return { status, body: soapAnswer(body) }
}

/**
 * Who signed, and what. Strangers are turned away before what they signed is looked at, which costs by its size. The
 * message is marked as taken before anything is done for it, and stays so whatever comes of it.
 */
async function authenticateMessage(
  visit: Visit,
  opened: OpenedMessage,
): Promise<{ caller: Caller; message: VerifiedMessage }> {
  const { record, settings } = visit.deps
  const owner = await record.read((db) => findCertificateOwner(db, opened.certificate.digest))
  if (owner?.certificate.enabled !== 1) {
    throw new AwsError('AuthFailure', 'AWS was not able to validate the provided access credentials', 401)
  }
  const message = opened.verify({ nowMs: visit.nowMs })
  const isNew = await record.transaction('action', (tx) =>
    takeMessage(tx, {
      digest: message.messageDigest,
      expiresAtMs: message.expiresAtMs,
      nowMs: visit.nowMs,
    }),
  )
  if (!isNew) throw new AwsError('AuthFailure', 'The message was received before.', 401)
  const caller = await record.read((db) => callerOfKey(db, owner, owner.certificate.id, settings))
  return { caller, message }
}

/** Made once for each door. */
export function wsdlOf(endpoint: string): () => string {
  let made: string | undefined
  return () =>
    (made ??= soapWsdl({
      model: ec2Model(),
      actions: [...ec2ActionByName.keys()].toSorted(),
      version: ec2Model().apiVersion,
      address: `${endpoint.replace(/\/$/, '')}/services/compute`,
    }))
}
