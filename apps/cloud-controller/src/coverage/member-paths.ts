import { shapeNamed, type ServiceModel } from '@mallee/aws-protocol'

/** A member of an input or output by its path, list indices left out: `Placement.AvailabilityZone`. */
export interface MemberPath {
  readonly path: string
  /** Name of the shape of its values: of one item, where it is a list. */
  readonly shape: string
  /** Whether it has members of its own. */
  readonly hasMembers: boolean
}

/** Every member below a structure, outer before inner; a structure that holds itself is entered once. */
export function memberPaths(model: ServiceModel, shapeName: string | undefined): MemberPath[] {
  const found: MemberPath[] = []
  if (shapeName !== undefined) descend(model, shapeName, '', [], found)
  return found
}

function descend(
  model: ServiceModel,
  shapeName: string,
  path: string,
  above: readonly string[],
  found: MemberPath[],
): void {
  const shape = shapeNamed(model, shapeName)
  if (!('members' in shape) || above.includes(shapeName)) return
  for (const [name, member] of Object.entries(shape.members)) {
    const here = path === '' ? name : `${path}.${name}`
    const inner = itemShape(model, member[0])
    const hasMembers = 'members' in shapeNamed(model, inner)
    found.push({ path: here, shape: inner, hasMembers })
    descend(model, inner, here, [...above, shapeName], found)
  }
}

/** The shape of the items of a list, of a list of lists too; any other shape is its own. */
function itemShape(model: ServiceModel, name: string): string {
  const shape = shapeNamed(model, name)
  return shape.kind === 'list' ? itemShape(model, shape.of) : name
}
