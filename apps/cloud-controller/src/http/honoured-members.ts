import {
  ec2QueryName,
  operationNamed,
  shapeNamed,
  structNamed,
  type ServiceModel,
} from '@mallee/aws-protocol'
import { invalidParameterValue, unsupportedParameter } from '@mallee/ec2-api'
import type { AnyAction } from '../actions/define-action.ts'

/** Members that the door answers for every action. */
const doorMembers = ['DryRun', 'ClientToken']

/** Whether a member at this path is acted on: it, one above it, or (while descending) one below it is listed. */
export type Honour = 'honoured' | 'inside' | 'refused'

export function honourOf(action: AnyAction, path: string): Honour {
  if (doorMembers.includes(path)) return 'honoured'
  let inside = false
  for (const listed of action.honours) {
    if (listed === path || path.startsWith(`${listed}.`)) return 'honoured'
    if (listed.startsWith(`${path}.`)) inside = true
  }
  for (const listed of Object.keys(action.only ?? {})) {
    if (listed === path) return 'honoured'
    if (listed.startsWith(`${path}.`)) inside = true
  }
  return inside ? 'inside' : 'refused'
}

/**
 * Refuses the first given member that the action does not act on, by its name on the wire. Empty lists and structures
 * say nothing and pass, as EC2 has it.
 */
export function refuseUnhonoured(
  model: ServiceModel,
  name: string,
  action: AnyAction,
  input: Record<string, unknown>,
): void {
  const shape = operationNamed(model, name)?.in
  if (shape !== undefined) refuseIn(model, shape, action, { value: input, path: '', wire: '' })
  refuseTagTypes(action, input)
}

interface Place {
  readonly value: unknown
  /** By member, indices left out. */
  readonly path: string
  /** As the client wrote it. */
  readonly wire: string
}

function refuseIn(model: ServiceModel, shapeName: string, action: AnyAction, place: Place): void {
  const shape = shapeNamed(model, shapeName)
  if (shape.kind === 'list') {
    for (const [index, value] of (place.value as unknown[]).entries())
      refuseIn(model, shape.of, action, { value, path: place.path, wire: `${place.wire}.${index + 1}` })
    return
  }
  if (shape.kind === 'map' || !('members' in shape)) return
  const { members } = structNamed(model, shapeName)
  for (const [key, value] of Object.entries(place.value as Record<string, unknown>)) {
    const member = members[key]
    if (!member || isEmpty(value)) continue
    const path = place.path === '' ? key : `${place.path}.${key}`
    const wire = place.wire === '' ? ec2QueryName(key, member) : `${place.wire}.${ec2QueryName(key, member)}`
    const allowed = action.only?.[path]
    if (allowed) {
      const values = Array.isArray(value) ? (value as unknown[]) : [value]
      if (!values.every((entry) => (allowed as readonly unknown[]).includes(entry)))
        throw unsupportedParameter(wire)
      continue
    }
    const honour = honourOf(action, path)
    if (honour === 'refused') throw unsupportedParameter(wire)
    if (honour === 'inside' || action.only) refuseIn(model, member[0], action, { value, path, wire })
  }
}

function isEmpty(value: unknown): boolean {
  if (value === undefined) return true
  if (Array.isArray(value)) return value.length === 0
  if (value instanceof Date || value instanceof Uint8Array) return false
  return typeof value === 'object' && value !== null && Object.values(value).every(isEmpty)
}

/** Tags can be given to what the call creates, and to nothing else. */
function refuseTagTypes(action: AnyAction, input: Record<string, unknown>): void {
  const specifications = (input['TagSpecifications'] ?? []) as { ResourceType?: string }[]
  for (const { ResourceType: type } of specifications) {
    if (type === undefined || !(action.creates ?? []).includes(type)) {
      throw invalidParameterValue(`'${type ?? ''}' is not a valid taggable resource type for this operation.`)
    }
  }
}
