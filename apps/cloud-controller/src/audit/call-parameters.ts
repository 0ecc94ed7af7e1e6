/**
 * What a call asked for, as it may be kept: secrets are taken out by the model's own marks and by name, values and lists are
 * cut. The form is the wire's, nested: `{"imageId":"ami-…","tagSpecification":[{"resourceType":"instance"}]}`.
 */
import { structNamed, type FormNode, type ServiceModel } from '@mallee/aws-protocol'

/** Characters of one value, members of one list or structure, and characters of all as JSON. */
const longestValue = 1024
const mostMembers = 200
const longestText = 16 * 1024
const deepest = 8

const hidden = 'HIDDEN_DUE_TO_SECURITY_REASONS'

/** Names of what is a secret, whatever a model says of it; CloudTrail hides user data, too. */
const secretName =
  /userdata|password|secret|privatekey|sessiontoken|webidentitytoken|samlassertion|authenticationcode|^clientrequesttoken$|uploadpolicy|keymaterial$|signature$|tokencode|presignedurl|manifesturl/i

const sensitiveNames = new WeakMap<object, ReadonlySet<string>>()

/** Members that the model marks as sensitive anywhere, by member name in lower case: hides too much rather than too little. */
function sensitiveOf(model: Pick<ServiceModel, 'shapes'> | undefined): ReadonlySet<string> {
  if (!model) return new Set()
  let names = sensitiveNames.get(model)
  if (!names) {
    const found = new Set<string>()
    for (const name of Object.keys(model.shapes)) {
      const shape = model.shapes[name]!
      if (shape.kind !== 'struct' && shape.kind !== 'union') continue
      for (const [key, [of, element, traits]] of Object.entries(
        structNamed(model as ServiceModel, name).members,
      )) {
        const target = Object.hasOwn(model.shapes, of) ? model.shapes[of] : undefined
        if (traits?.sensitive !== 1 && (target as { sensitive?: 1 } | undefined)?.sensitive !== 1) continue
        found.add(key.toLowerCase())
        if (typeof element === 'string') found.add(element.toLowerCase())
        if (traits?.query !== undefined) found.add(traits.query.toLowerCase())
      }
    }
    names = found
    sensitiveNames.set(model, names)
  }
  return names
}

/** Null where there is nothing to keep. `given`: a form's tree, or a document. */
export function keptParameters(
  given: FormNode | Readonly<Record<string, unknown>>,
  model?: Pick<ServiceModel, 'shapes'>,
): Record<string, unknown> | null {
  const sensitive = sensitiveOf(model)
  const isSecret = (name: string) => secretName.test(name) || sensitive.has(name.toLowerCase())
  const kept = (isForm(given) ? formValue(given, isSecret, 0) : documentValue(given, isSecret, 0)) as
    | Record<string, unknown>
    | undefined
  if (typeof kept !== 'object' || Object.keys(kept).length === 0) return null
  return JSON.stringify(kept).length > longestText ? { omitted: 'requestParameters too large' } : kept
}

const isForm = (given: FormNode | Readonly<Record<string, unknown>>): given is FormNode =>
  given['children'] instanceof Map || Object.keys(given).length === 0

type IsSecret = (name: string) => boolean

function formValue(node: FormNode, isSecret: IsSecret, depth: number): unknown {
  if (!node.children) return cut(node.value ?? '')
  if (depth > deepest) return '…'
  const entries = [...node.children].slice(0, mostMembers)
  if (depth > 0 && entries.every(([name]) => /^\d+$/.test(name)))
    return entries.map(([, child]) => formValue(child, isSecret, depth + 1))
  return Object.fromEntries(
    entries.map(([name, child]) => [
      lowerFirst(name),
      isSecret(name) ? hidden : formValue(child, isSecret, depth + 1),
    ]),
  )
}

function documentValue(value: unknown, isSecret: IsSecret, depth: number): unknown {
  if (typeof value === 'string') return cut(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return hidden
  if (depth > deepest) return '…'
  if (Array.isArray(value))
    return value.slice(0, mostMembers).map((item) => documentValue(item, isSecret, depth + 1))
  const entries = Object.entries(value).slice(0, mostMembers)
  return Object.fromEntries(
    entries.map(([name, member]) => [
      lowerFirst(name),
      isSecret(name) ? hidden : documentValue(member, isSecret, depth + 1),
    ]),
  )
}

const cut = (text: string): string => (text.length > longestValue ? `${text.slice(0, longestValue)}…` : text)

/** Nobody's prototype is a parameter's name. */
const lowerFirst = (name: string): string =>
  name === '__proto__' ? '_proto_' : (name[0] ?? '').toLowerCase() + name.slice(1)

/** Ids of ours in what was asked for, whatever parameter they stand in: what a refused call is about. */
export function idsIn(parameters: unknown): string[] {
  const found = new Set<string>()
  for (const match of JSON.stringify(parameters ?? null).matchAll(/"([a-z]{1,12}-[0-9a-f]{8,17})"/g)) {
    found.add(match[1]!)
    if (found.size >= mostIds) break
  }
  return [...found]
}

const mostIds = 100
