import { readFileSync } from 'node:fs'
import { operationNamed } from '@mallee/aws-protocol'
import { documentedFilters, ec2Model } from '@mallee/ec2-api'
import type { AnyAction } from '../actions/define-action.ts'
import { ec2ActionByName } from '../actions/ec2-actions.ts'
import { honourOf } from '../http/honoured-members.ts'
import { memberPaths } from './member-paths.ts'

/**
 * What of EC2 this cloud does, down to the member and the filter, made of the very lists that the door refuses by. What
 * an action answers is not declared anywhere: it is what the coverage test saw it answer.
 */
export interface ActionCoverage {
  /** Members acted on; a name stands for all below it. */
  readonly honoured: readonly string[]
  /** Members that may have these values only; any other is refused by name. */
  readonly only: Readonly<Record<string, readonly (string | number | boolean)[]>>
  /** Members refused by name; a name stands for all below it. */
  readonly refused: readonly string[]
  readonly filters: {
    readonly honoured: readonly string[]
    /** Documented by AWS and refused by name here, as any unknown one is. */
    readonly refused: readonly string[]
  }
  readonly output: {
    readonly answered: readonly string[]
    /** Members of AWS's answer that this cloud was never seen to give. */
    readonly never: readonly string[]
  }
  /** Codes that the action was seen to answer; any may answer those of signatures, throttling and decoding besides. */
  readonly errors: readonly string[]
}

export interface CoverageReport {
  readonly source: string
  readonly performed: Readonly<Record<string, ActionCoverage>>
  /** Every other action of AWS's model: `UnsupportedOperation`, by its name. */
  readonly refused: readonly string[]
}

/** What the coverage test wrote down: by action, members that were answered, and codes of refusals. */
export interface Seen {
  readonly answered: Readonly<Record<string, readonly string[]>>
  readonly errors: Readonly<Record<string, readonly string[]>>
}

export function seenByTest(): Seen {
  return JSON.parse(readFileSync(new URL('seen.json', import.meta.url), 'utf8')) as Seen
}

export function coverageReport(seen = seenByTest()): CoverageReport {
  const model = ec2Model()
  const performed: Record<string, ActionCoverage> = {}
  for (const [name, action] of [...ec2ActionByName].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    performed[name] = {
      ...coverageOf(name, action, seen.answered[name] ?? []),
      errors: seen.errors[name] ?? [],
    }
  return {
    source: model.source,
    performed,
    refused: Object.keys(model.operations)
      .filter((name) => !ec2ActionByName.has(name))
      .toSorted(),
  }
}

function coverageOf(
  name: string,
  action: AnyAction,
  answered: readonly string[],
): Omit<ActionCoverage, 'errors'> {
  const operation = operationNamed(ec2Model(), name)
  const inputs = memberPaths(ec2Model(), operation?.in).map(({ path }) => path)
  const outputs = memberPaths(ec2Model(), operation?.out).map(({ path }) => path)
  const only = action.only ?? {}
  const verdict = (path: string) => (Object.hasOwn(only, path) ? 'only' : honourOf(action, path))
  const honoured = action.filters ?? []
  const documented = documentedFilters()[name] ?? []
  return {
    honoured: outermost(inputs.filter((path) => verdict(path) === 'honoured')),
    only,
    refused: outermost(inputs.filter((path) => verdict(path) === 'refused')),
    filters: {
      honoured: [...honoured].toSorted(),
      refused: documented.filter((filter) => !honoured.includes(filter)),
    },
    output: {
      answered: [...answered].toSorted(),
      never: outermost(outputs.filter((path) => !answered.some((seen) => within(seen, path)))),
    },
  }
}

/** Without those that stand below another of the list. */
function outermost(paths: readonly string[]): string[] {
  return paths.filter((path) => !paths.some((other) => path.startsWith(`${other}.`))).toSorted()
}

function within(path: string, outer: string): boolean {
  return path === outer || path.startsWith(`${outer}.`)
}
