/** Answers of the query protocols: what goes around the members, for results and for errors. */
import type { AwsError } from './aws-error.ts'
import type { Protocol, ServiceModel } from './model.ts'
import { operationNamed } from './model.ts'
import { XmlEncoder } from './xml-encode.ts'
import { escapeXml } from './xml-text.ts'

const xmlHead = '<?xml version="1.0" encoding="UTF-8"?>\n'
const versionForm = /^\d{4}-\d\d-\d\d$/

export interface QueryResponse {
  operation: string
  /** undefined for operations without output */
  output: object | undefined
  requestId: string
  /** the Version that the request named: EC2 echoes it in the namespace */
  version?: string | undefined
}

/** The encoder of one service's answers; the model's protocol decides between the ec2 and the query envelope. */
export class QueryEncoder {
  readonly #model: ServiceModel
  readonly #xml: XmlEncoder

  constructor(model: ServiceModel) {
    this.#model = model
    this.#xml = new XmlEncoder(model)
  }

  /** A whole XML document. Throws a plain Error for an operation that the model lacks. */
  encode(response: QueryResponse): string {
    const operation = operationNamed(this.#model, response.operation)
    if (!operation) throw new Error(`${this.#model.service} has no operation ${response.operation}`)
    return this.#model.protocol === 'ec2Query'
      ? this.#ec2(response, operation.out)
      : this.#query(response, operation.out)
  }

  #ec2({ operation, output, requestId, version }: QueryResponse, shape: string | undefined): string {
    const namespace =
      version !== undefined && versionForm.test(version)
        ? `http://ec2.amazonaws.com/doc/${version}/`
        : this.#model.xmlNamespace
    const members =
      shape === undefined
        ? '<return>true</return>'
        : this.#xml.members(shape, output ?? {}, { emptyLists: true })
    const root = `${operation}Response`
    return `${xmlHead}<${root} xmlns="${namespace}"><requestId>${escapeXml(requestId)}</requestId>${members}</${root}>`
  }

  #query({ operation, output, requestId }: QueryResponse, shape: string | undefined): string {
    const members =
      shape === undefined ? undefined : this.#xml.members(shape, output ?? {}, { emptyLists: true })
    // The wrapper stays when it is empty: some clients fail without it.
    const result = members === undefined ? '' : `<${operation}Result>${members}</${operation}Result>`
    const root = `${operation}Response`
    return `${xmlHead}<${root} xmlns="${this.#model.xmlNamespace}">${result}<ResponseMetadata><RequestId>${escapeXml(
      requestId,
    )}</RequestId></ResponseMetadata></${root}>`
  }
}

type ErrorParts = Pick<AwsError, 'code' | 'message' | 'status'>

/** `<Response><Errors><Error>`, without namespace and with a capital `RequestID`: EC2's own envelope. */
export function encodeEc2Error(error: ErrorParts, requestId: string): string {
  const parts = `<Code>${escapeXml(error.code)}</Code><Message>${escapeXml(error.message)}</Message>`
  return `${xmlHead}<Response><Errors><Error>${parts}</Error></Errors><RequestID>${escapeXml(requestId)}</RequestID></Response>`
}

/** `<ErrorResponse xmlns>` of IAM, STS and the other query services. */
export function encodeQueryError(error: ErrorParts, requestId: string, xmlNamespace: string): string {
  const type = error.status < 500 ? 'Sender' : 'Receiver'
  const parts = `<Type>${type}</Type><Code>${escapeXml(error.code)}</Code><Message>${escapeXml(error.message)}</Message>`
  return `${xmlHead}<ErrorResponse xmlns="${xmlNamespace}"><Error>${parts}</Error><RequestId>${escapeXml(requestId)}</RequestId></ErrorResponse>`
}

/** The error envelope of a query protocol. */
export function encodeErrorFor(
  model: { protocol: Protocol; xmlNamespace: string },
  error: ErrorParts,
  requestId: string,
): string {
  return model.protocol === 'ec2Query'
    ? encodeEc2Error(error, requestId)
    : encodeQueryError(error, requestId, model.xmlNamespace)
}
