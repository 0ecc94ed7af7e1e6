import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { SignatureError, type SignedPayload } from '@mallee/aws-protocol'
import { ebsValidation } from '@mallee/ebs-api'

/** A small body, whole. Throws ValidationException for one that is too long, by its length before a byte is read. */
export async function readBody(message: IncomingMessage, mostBytes: number): Promise<Buffer> {
  const tooLong = () =>
    ebsValidation('INVALID_PARAMETER_VALUE', `The body is longer than ${mostBytes} bytes.`)
  if (Number(message.headers['content-length'] ?? 0) > mostBytes) throw tooLong()
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of message.iterator({ destroyOnReturn: false })) {
      length += (chunk as Buffer).length
      if (length > mostBytes) throw tooLong()
      chunks.push(chunk as Buffer)
    }
  } catch (error) {
    if (length > mostBytes) throw error
    throw ebsValidation('INVALID_PARAMETER_VALUE', 'The body ended too early.') // the connection broke
  }
  return Buffer.concat(chunks)
}

/** The body, where it is what was signed or may be anything; throws SignatureError otherwise. */
export function requireSigned(body: Buffer, payload: SignedPayload): Buffer {
  const isSigned = payload.kind === 'sha256'
  if (isSigned && createHash('sha256').update(body).digest('hex') !== payload.sha256)
    throw new SignatureError('restJson', 'payloadMismatch')
  return body
}
