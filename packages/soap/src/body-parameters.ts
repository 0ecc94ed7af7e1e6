/**
 * A SOAP Body into the parameters of EC2's query form, so that one decoder and one set of actions serve both.
 *
 * Element names are the query's with a small first letter, and lists are `<fooSet><item><foo>…` or `<foo><item>…`,
 * where the query has `Foo.1`. The model decides which is which; what it does not know is passed on by its name, and
 * the decoder refuses it as it refuses an unknown parameter.
 */
import {
  ec2QueryName,
  operationNamed,
  shapeNamed,
  structNamed,
  type FormNode,
  type MemberModel,
  type QueryRequest,
  type ServiceModel,
} from '@mallee/aws-protocol'
import { invalidSoap } from './envelope.ts'
import { namespaces } from './names.ts'
import { elementsOf, nameOf, textOf, XmlRefused, type XmlElement } from './strict-xml.ts'

/** What no rule finds. By action (or any), element in the message, parameter. */
const aliases: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  DescribeImages: { executableBySet: 'ExecutableBy' },
  '*': {
    keyPairIdsSet: 'KeyPairId',
    instanceTypesSet: 'InstanceType',
    groupIdSet: 'GroupId',
  },
}

type Members = ReadonlyMap<string, MemberModel>

interface Place {
  readonly model: ServiceModel
  readonly action: string
  /** That of the message's action; its elements are in it, or in none. */
  readonly namespace: string
}

/** The action, version and parameters that a verified Body asks for. Throws AwsError InvalidSOAPRequest. */
export function queryOfBody(body: XmlElement, model: ServiceModel): QueryRequest {
  try {
    return readBody(body, model)
  } catch (error) {
    if (error instanceof XmlRefused) throw invalidSoap(`The Body cannot be read. ${error.message}`)
    throw error
  }
}

function readBody(body: XmlElement, model: ServiceModel): QueryRequest {
  const [request, ...more] = elementsOf(body)
  if (!request || more.length > 0) throw invalidSoap('The Body must hold one request.')
  const version = /^http:\/\/ec2\.amazonaws\.com\/doc\/(\d{4}-\d\d-\d\d)\/?$/.exec(request.namespace)?.[1]
  if (version === undefined)
    throw invalidSoap("The request must be in the namespace of one of EC2's versions.")
  const place: Place = { model, action: request.local, namespace: request.namespace }
  const input = operationNamed(model, request.local)?.in
  return { action: request.local, version, parameters: structNode(place, input, request) }
}

function structNode(place: Place, shapeName: string | undefined, element: XmlElement): FormNode {
  const members = membersOf(place.model, shapeName)
  const children = new Map<string, FormNode>()
  const add = (name: string, node: FormNode | null): void => {
    if (!node) return
    if (children.has(name)) throw invalidSoap(`${name} is given more than once.`)
    children.set(name, node)
  }
  for (const child of childrenOf(place, element)) {
    if (isNil(child)) continue
    const groups = groupLists(place, members, child)
    if (groups) for (const [name, node] of groups) add(name, node)
    else if (isChoice(members, child)) add('Attribute', { value: child.local })
    else if (!isEmptySet(child)) {
      const name = parameterName(place, members, child)
      const member = members.get(name)
      add(name, member ? valueNode(place, name, member, child) : plainNode(place, child))
    }
  }
  return { children }
}

/** Parameter names as the query has them. */
function membersOf(model: ServiceModel, shapeName: string | undefined): Members {
  if (shapeName === undefined) return new Map()
  const { members } = structNamed(model, shapeName)
  return new Map(Object.entries(members).map(([key, member]) => [ec2QueryName(key, member), member]))
}

const capital = (text: string): string => (text[0] ?? '').toUpperCase() + text.slice(1)

function parameterName(place: Place, members: Members, child: XmlElement): string {
  const plain = capital(child.local)
  if (members.has(plain)) return plain
  const known = aliases[place.action]?.[child.local] ?? aliases['*']?.[child.local]
  if (known !== undefined && members.has(known)) return known
  const stem = plain.replace(/Set$/, '')
  for (const name of [stem, stem.replace(/s$/, '')]) if (members.has(name)) return name
  // <instancesSet><item><instanceId>: named by what its items hold
  const inside = child.children.find(
    (item): item is XmlElement => typeof item !== 'string' && item.local === 'item',
  )
  const held = inside?.children.find((item): item is XmlElement => typeof item !== 'string')
  const byItem = held && capital(held.local)
  return byItem !== undefined && members.has(byItem) ? byItem : plain
}

/** Security groups come as one set of ids and names; the query has a list of each. */
function groupLists(place: Place, members: Members, child: XmlElement): Map<string, FormNode> | null {
  if (child.local !== 'groupSet' || !members.has('SecurityGroupId') || members.has('GroupSet')) return null
  const lists = new Map<string, FormNode>()
  for (const item of itemsOf(place, child)) {
    for (const element of childrenOf(place, item)) {
      const name = { groupId: 'SecurityGroupId', groupName: 'SecurityGroup' }[element.local]
      if (name === undefined || isNil(element))
        throw invalidSoap(`groupSet cannot hold ${nameOf(element).slice(0, 80)}.`)
      const list = lists.get(name) ?? { children: new Map<string, FormNode>() }
      list.children!.set(String(list.children!.size + 1), { value: textOf(element) })
      lists.set(name, list)
    }
  }
  return lists
}

/** Describe… and Reset…Attribute say which attribute they mean by an empty element of its name. */
function isChoice(members: Members, child: XmlElement): boolean {
  return members.has('Attribute') && child.children.length === 0 && !members.has(capital(child.local))
}

/** A set of nothing asks for nothing, whatever it would be a set of. */
function isEmptySet(child: XmlElement): boolean {
  return child.local.endsWith('Set') && elementsOf(child).length === 0
}

function valueNode(place: Place, name: string, member: MemberModel, element: XmlElement): FormNode | null {
  const shape = shapeNamed(place.model, member[0])
  if (shape.kind === 'list') return listNode(place, [name, shape.item], shape.of, element)
  if (shape.kind === 'map') return plainNode(place, element)
  if ('members' in shape) {
    if (element.children.every((child) => typeof child === 'string' && child.trim() === '')) return null
    return element.children.every((child) => typeof child === 'string')
      ? { value: textOf(element) }
      : structNode(place, member[0], element)
  }
  return scalarNode(place, element, ['data', 'value'])
}

/** Text, or text in one element of such a name: `<userData><data>`. */
function scalarNode(place: Place, element: XmlElement, wrappers: readonly string[]): FormNode {
  if (element.children.every((child) => typeof child === 'string')) return { value: textOf(element) }
  const [inside, ...more] = childrenOf(place, element)
  return inside && more.length === 0 && wrappers.includes(inside.local)
    ? { value: textOf(inside) }
    : plainNode(place, element)
}

/** A list without items is as good as none: clients send it for "all". */
function listNode(
  place: Place,
  names: readonly [name: string, item: string | undefined],
  of: string,
  element: XmlElement,
): FormNode | null {
  const shape = shapeNamed(place.model, of)
  const wrappers = [...names.map((name) => lowerFirst(name ?? '')), 'value', 'user']
  const nodes = itemsOf(place, element).map((item) =>
    'members' in shape ? structNode(place, of, item) : scalarNode(place, item, wrappers),
  )
  if (nodes.length === 0) return null
  return { children: new Map(nodes.map((node, index) => [String(index + 1), node])) }
}

const lowerFirst = (text: string): string => (text[0] ?? '').toLowerCase() + text.slice(1)

function itemsOf(place: Place, element: XmlElement): XmlElement[] {
  return childrenOf(place, element).map((item) => {
    if (item.local !== 'item') throw invalidSoap(`${nameOf(element).slice(0, 80)} may hold items only.`)
    return item
  })
}

/** What the model does not know, by its names, for the decoder to refuse. */
function plainNode(place: Place, element: XmlElement): FormNode {
  if (element.children.every((child) => typeof child === 'string')) return { value: textOf(element) }
  const children = new Map<string, FormNode>()
  for (const child of childrenOf(place, element)) {
    const name = capital(child.local)
    if (children.has(name)) throw invalidSoap(`${name} is given more than once.`)
    children.set(name, plainNode(place, child))
  }
  return { children }
}

/** Attributes that change nothing in what is asked. */
const harmless: ReadonlySet<string> = new Set([`${namespaces.xsi} nil`, `${namespaces.xsi} type`])

function childrenOf(place: Place, element: XmlElement): XmlElement[] {
  const children = elementsOf(element)
  for (const child of children) {
    if (child.namespace !== place.namespace && child.namespace !== '')
      throw invalidSoap(`${nameOf(child).slice(0, 80)} is of another namespace than its request.`)
    for (const { namespace, local, value } of child.attributes) {
      const isUserData =
        child.local === 'userData' &&
        namespace === '' &&
        ['version 1.0', 'encoding base64'].includes(`${local} ${value}`)
      if (!isUserData && !harmless.has(`${namespace} ${local}`))
        throw invalidSoap(
          `The attribute ${local.slice(0, 80)} of ${nameOf(child).slice(0, 80)} is not known.`,
        )
    }
  }
  return children
}

function isNil(element: XmlElement): boolean {
  return element.attributes.some(
    ({ namespace, local, value }) =>
      namespace === namespaces.xsi && local === 'nil' && value !== 'false' && value !== '0',
  )
}
