import { ec2QueryName, operationNamed, shapeNamed, structNamed, type ShapeModel } from '@mallee/aws-protocol'
import { ec2Model, ec2OpenEnums } from '@mallee/ec2-api'

/** A wire parameter that gives one member, by its path, a value that its shape allows: `['Placement.GroupName', 'x']`. */
export function parameterFor(action: string, path: string): [name: string, value: string] {
  const model = ec2Model()
  let shapeName = operationNamed(model, action)!.in!
  let wire = ''
  for (const member of path.split('.')) {
    const found = structNamed(model, shapeName).members[member]!
    wire += `${wire === '' ? '' : '.'}${ec2QueryName(member, found)}`
    shapeName = found[0]
    for (;;) {
      const shape = shapeNamed(model, shapeName)
      if (shape.kind !== 'list') break
      wire += '.1'
      shapeName = shape.of
    }
  }
  return [wire, valueFor(shapeName, shapeNamed(model, shapeName))]
}

function valueFor(name: string, shape: ShapeModel): string {
  if (shape.kind === 'list' || shape.kind === 'map' || 'members' in shape)
    throw new Error(`${name} has no value of its own`)
  if (shape.enum && !ec2OpenEnums.has(name)) return shape.enum[0]!
  switch (shape.kind) {
    case 'boolean':
      return 'true'
    case 'blob':
      return 'eA=='
    case 'timestamp':
    case 'dateTime':
      return '2030-01-02T03:04:05Z'
    case 'integer':
    case 'long':
    case 'number':
    case 'float':
    case 'double':
      return String(shape.min ?? 1)
    default:
      return 'x'.repeat(Math.max(shape.min ?? 1, 1))
  }
}
