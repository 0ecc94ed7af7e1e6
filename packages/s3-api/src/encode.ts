/** Typed output of an S3 operation into status, headers and XML body, as the model binds them; and error bodies. */
import type { AwsError, MemberModel, ServiceModel, StructShape } from '@mallee/aws-protocol'
import {
  escapeXml,
  operationNamed,
  scalarText,
  shapeNamed,
  structNamed,
  XmlEncoder,
} from '@mallee/aws-protocol'

export interface S3Response {
  status: number
  /** names as AWS spells them */
  headers: Record<string, string>
  /** undefined: none, or object bytes that the caller streams */
  body: string | undefined
}

/** What the model says of an output, once it was asked for. */
interface Plan {
  readonly shape: StructShape
  /** Members that are not in the body. */
  readonly bound: ReadonlyMap<string, MemberModel>
  readonly payload: readonly [string, MemberModel] | undefined
  readonly hasBody: boolean
}

type Values = Readonly<Record<string, unknown>>

const xmlHead = '<?xml version="1.0" encoding="UTF-8"?>\n'

export class S3Encoder {
  readonly #model: ServiceModel
  readonly #xml: XmlEncoder
  readonly #plans = new Map<string, Plan>()

  constructor(model: ServiceModel) {
    this.#model = model
    this.#xml = new XmlEncoder(model)
  }

  /** `x-amz-request-id` and the content's length are the caller's to add. */
  encode(operation: string, output: object): S3Response {
    const found = operationNamed(this.#model, operation)
    if (!found) throw new Error(`${this.#model.service} has no operation ${operation}`)
    const status = found.http?.[2] ?? 200
    if (found.out === undefined) return { status, headers: {}, body: undefined }
    const plan = this.#planOf(found.out)
    const response: S3Response = { status, headers: {}, body: undefined }
    for (const key in output) {
      const value = (output as Values)[key]
      const member = value === undefined || value === null ? undefined : plan.bound.get(key)
      if (member) this.#bind(member, value, response)
    }
    const body = this.#body(found.out, plan, output as Values)
    if (body !== undefined) {
      response.body = body.text
      response.headers['Content-Type'] ??= body.type
    }
    return response
  }

  #planOf(structName: string): Plan {
    const known = this.#plans.get(structName)
    if (known) return known
    const shape = structNamed(this.#model, structName)
    const members = Object.entries(shape.members)
    const plan: Plan = {
      shape,
      bound: new Map(members.filter(([, [, , traits]]) => isBound(traits))),
      payload: members.find(([, [, , traits]]) => traits?.payload),
      hasBody: members.some(([, [, , traits]]) => !isBound(traits)),
    }
    this.#plans.set(structName, plan)
    return plan
  }

  #bind([shapeName, , traits]: MemberModel, value: unknown, response: S3Response): void {
    if (traits?.status) response.status = Number(value)
    if (traits?.prefix !== undefined) {
      for (const [name, text] of Object.entries(value as Record<string, string>)) {
        response.headers[`${traits.prefix}${name}`] = headerSafe(text)
      }
    }
    if (traits?.header === undefined) return
    response.headers[traits.header] = headerSafe(this.#headerValue(shapeName, value))
  }

  #headerValue(shapeName: string, value: unknown): string {
    const shape = shapeNamed(this.#model, shapeName)
    if (shape.kind !== 'list') return this.#headerText(shapeName, value)
    return (value as unknown[]).map((part) => this.#headerText(shape.of, part)).join(', ')
  }

  #headerText(shapeName: string, value: unknown): string {
    const shape = shapeNamed(this.#model, shapeName)
    if (shape.kind === 'list' || shape.kind === 'map' || 'members' in shape) {
      throw new Error(`a header cannot hold a ${shape.kind}`)
    }
    // Dates in headers are HTTP dates unless the model says otherwise.
    return scalarText(shape.kind === 'timestamp' ? { ...shape, kind: 'httpDate' } : shape, value)
  }

  #body(structName: string, plan: Plan, output: Values): { text: string; type: string } | undefined {
    const { shape, payload, hasBody } = plan
    if (payload) {
      const [key, [payloadShape, element]] = payload
      const target = shapeNamed(this.#model, payloadShape)
      if (target.kind === 'blob' || target.kind === 'streamingBlob') return undefined
      const value = output[key]
      if (value === undefined || value === null) return undefined
      if (!('members' in target)) return { text: String(value), type: 'application/json' }
      const tag = element === undefined || element === 0 ? (target.root ?? payloadShape) : element
      return this.#document(tag, payloadShape, value as Values, { emptyLists: false })
    }
    if (!hasBody) return undefined
    if (structName === 'GetBucketLocationOutput') return location(output, this.#model.xmlNamespace)
    return this.#document(shape.root ?? structName, structName, output, { emptyLists: true })
  }

  /** Lists inside a payload are the caller's configuration and stay absent; those of a listing are containers. */
  #document(tag: string, shape: string, value: Values, options: { emptyLists: boolean }) {
    const members = this.#xml.members(shape, value, options)
    const text = `${xmlHead}<${tag} xmlns="${this.#model.xmlNamespace}">${members}</${tag}>`
    return { text, type: 'application/xml' }
  }
}

function isBound(traits: MemberModel[2]): boolean {
  return (traits?.header ?? traits?.prefix ?? traits?.status) !== undefined
}

/** The one document whose root holds bare text; empty for the classic region. */
function location(output: Values, namespace: string): { text: string; type: string } {
  const name = output['LocationConstraint']
  const text = typeof name === 'string' ? escapeXml(name) : ''
  return {
    text: `${xmlHead}<LocationConstraint xmlns="${namespace}">${text}</LocationConstraint>`,
    type: 'application/xml',
  }
}

/** What cannot stand in a header is replaced: a value must not add headers of its own, nor be one that Node refuses. */
function headerSafe(text: string): string {
  if (/^[\t\u0020-\u007E\u0080-\u00FF]*$/.test(text)) return text
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u0008\u000A-\u001F\u007F]/g, ' ').replaceAll(/[^\u0000-\u00FF]/gu, '?')
}

/** S3's error document. `resource` is the path asked for; further elements come from `error.details`. */
export function encodeS3Error(
  error: Pick<AwsError, 'code' | 'message' | 'details'>,
  context: { requestId: string; hostId: string; resource?: string },
): string {
  const rows: Array<[string, string]> = [
    ['Code', error.code],
    ['Message', error.message],
    ...Object.entries(error.details),
  ]
  if (context.resource !== undefined) rows.push(['Resource', context.resource])
  rows.push(['RequestId', context.requestId], ['HostId', context.hostId])
  const text = rows.map(([name, value]) => `<${name}>${escapeXml(value)}</${name}>`).join('')
  return `${xmlHead}<Error>${text}</Error>`
}
