/**
 * AWS JSON 1.1: every request is a POST of a document whose `X-Amz-Target` names the operation.
 * https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
 */
import type { AwsError } from './aws-error.ts'
import type { DecodeErrors } from './decode-errors.ts'
import type { ServiceModel } from './model.ts'
import { plainJson, RestJsonDecoder, type RestJsonResponse } from './rest-json.ts'

const contentType = 'application/x-amz-json-1.1'

/** The document of a request by its model: restJson without anything bound to path, query or headers. */
export class AwsJsonDecoder {
  readonly #documents: RestJsonDecoder

  constructor(model: ServiceModel, options: { errors?: DecodeErrors } = {}) {
    this.#documents = new RestJsonDecoder(model, options)
  }

  /** Throws what `errors` make of members, and SerializationException for a body that is no document. */
  decode(operation: string, body: Uint8Array): Record<string, unknown> {
    return this.#documents.decode({ operation, labels: new Map(), query: new Map(), headers: {}, body })
  }
}

export function encodeAwsJson(output: Readonly<Record<string, unknown>>): RestJsonResponse {
  return {
    status: 200,
    headers: { 'content-type': contentType },
    body: Buffer.from(JSON.stringify(plainJson(output))),
  }
}

export function encodeAwsJsonError(error: Pick<AwsError, 'code' | 'message' | 'status'>): RestJsonResponse {
  return {
    status: error.status,
    headers: { 'content-type': contentType },
    body: Buffer.from(JSON.stringify({ __type: error.code, message: error.message })),
  }
}
