/** A description of the actions that a door performs, generated from the model, for clients that generate themselves. */
import {
  operationNamed,
  shapeNamed,
  structNamed,
  escapeXmlAttribute,
  type MemberModel,
  type ServiceModel,
} from '@mallee/aws-protocol'

export interface WsdlOptions {
  readonly model: ServiceModel
  /** Names of the actions to describe. */
  readonly actions: readonly string[]
  /** YYYY-MM-DD; part of the namespace */
  readonly version: string
  /** Where clients send to. */
  readonly address: string
}

/** WSDL 1.1, document/literal, every element qualified. Members may come in any order, as the encoder writes them. */
export function soapWsdl({ model, actions, version, address }: WsdlOptions): string {
  const namespace = `http://ec2.amazonaws.com/doc/${version}/`
  const types = new Schema(model)
  const elements = actions.map((name) => types.operation(name)).join('\n')
  const messages = actions.map(
    (name) =>
      `<message name="${name}RequestMsg"><part name="${name}RequestMsgReq" element="tns:${name}"/></message>\n<message name="${name}ResponseMsg"><part name="${name}ResponseMsgResp" element="tns:${name}Response"/></message>`,
  )
  const ports = actions.map(
    (name) =>
      `<operation name="${name}"><input message="tns:${name}RequestMsg"/><output message="tns:${name}ResponseMsg"/></operation>`,
  )
  const bindings = actions.map(
    (name) =>
      `<operation name="${name}"><soap:operation soapAction="${name}"/><input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>`,
  )
  return `<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:tns="${namespace}" targetNamespace="${namespace}">
<types><xs:schema targetNamespace="${namespace}" elementFormDefault="qualified">
${elements}
${types.all()}
</xs:schema></types>
${messages.join('\n')}
<portType name="AmazonEC2PortType">
${ports.join('\n')}
</portType>
<binding name="AmazonEC2Binding" type="tns:AmazonEC2PortType"><soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
${bindings.join('\n')}
</binding>
<service name="AmazonEC2"><port name="AmazonEC2Port" binding="tns:AmazonEC2Binding"><soap:address location="${escapeXmlAttribute(address)}"/></port></service>
</definitions>
`
}

/** Requests and answers name the members of one structure differently: each has types of its own. */
type Side = 'Request' | 'Answer'

const scalars: Readonly<Record<string, string>> = {
  integer: 'xs:int',
  long: 'xs:long',
  number: 'xs:decimal',
  float: 'xs:float',
  double: 'xs:double',
  boolean: 'xs:boolean',
  timestamp: 'xs:dateTime',
  dateTime: 'xs:dateTime',
}

class Schema {
  readonly #model: ServiceModel
  readonly #types = new Map<string, string>()

  constructor(model: ServiceModel) {
    this.#model = model
  }

  operation(name: string): string {
    const operation = operationNamed(this.#model, name)
    const request = operation?.in === undefined ? '' : this.#members(operation.in, 'Request')
    const members =
      operation?.out === undefined ? element('return', 'xs:boolean') : this.#members(operation.out, 'Answer')
    const answer = element('requestId', 'xs:string') + members
    const whole = (tag: string, content: string) =>
      `<xs:element name="${tag}"><xs:complexType><xs:all>${content}</xs:all></xs:complexType></xs:element>`
    return `${whole(name, request)}\n${whole(`${name}Response`, answer)}`
  }

  all(): string {
    return [...this.#types.values()].join('\n')
  }

  #members(struct: string, side: Side): string {
    const { members } = structNamed(this.#model, struct)
    return Object.entries(members)
      .map(([key, member]) => element(memberName(key, member, side), this.#type(member[0], side)))
      .join('')
  }

  /** The name of a type; made where it is met first. A type may hold itself. */
  #type(shapeName: string, side: Side): string {
    const shape = shapeNamed(this.#model, shapeName)
    if (shape.kind !== 'list' && shape.kind !== 'map' && !('members' in shape))
      return scalars[shape.kind] ?? 'xs:string'
    const name = `${shapeName}${side}Type`
    if (this.#types.has(name)) return `tns:${name}`
    this.#types.set(name, '')
    const item = side === 'Request' ? 'item' : 'list' === shape.kind ? (shape.item ?? 'item') : 'item'
    const content =
      shape.kind === 'list'
        ? `<xs:sequence><xs:element name="${item}" type="${this.#type(shape.of, side)}" minOccurs="0" maxOccurs="unbounded"/></xs:sequence>`
        : `<xs:all>${shape.kind === 'map' ? '' : this.#members(shapeName, side)}</xs:all>`
    this.#types.set(name, `<xs:complexType name="${name}">${content}</xs:complexType>`)
    return `tns:${name}`
  }
}

function element(name: string, type: string): string {
  return `<xs:element name="${name}" type="${type}" minOccurs="0"/>`
}

function memberName(key: string, [, wire, traits]: MemberModel, side: Side): string {
  const plain = wire === undefined || wire === 0 ? key : wire
  if (side === 'Answer') return plain
  const query = traits?.query ?? plain
  return (query[0] ?? '').toLowerCase() + query.slice(1)
}
