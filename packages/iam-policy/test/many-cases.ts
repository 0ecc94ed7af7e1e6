/** Both evaluators on many random cases, and a count of what happened in them. */
import { seededRandom } from '@mallee/base'
import { compilePolicy } from '../src/compile-policy.ts'
import { evaluate, type Decision, type PolicySet } from '../src/evaluate.ts'
import { parsePolicy } from '../src/parse-policy.ts'
import type { PolicyRequest } from '../src/request.ts'
import { randomPolicies } from './random-policies.ts'
import { Dice, randomRequest } from './random-requests.ts'
import { referenceDecision, type PlainPolicies, type PlainPolicy } from './reference-evaluator.ts'

export interface CaseTally {
  cases: number
  readonly outcomes: Map<string, number>
  /** For each operator, in how many cases the other answer to its condition would have changed the outcome. */
  readonly decided: Map<string, number>
  readonly disagreements: string[]
}

export interface CaseOptions {
  readonly seed: number
  readonly count: number
  /** Looks for the conditions that decided, until each operator has so many. */
  readonly enough: number
  readonly onProgress?: (tally: CaseTally) => void
}

export function manyCases({ seed, count, enough, onProgress }: CaseOptions): CaseTally {
  const tally: CaseTally = { cases: 0, outcomes: new Map(), decided: new Map(), disagreements: [] }
  for (let index = 0; index < count; index += 1) {
    const dice = new Dice(seededRandom(Math.imul(seed, 1_000_003) + index))
    const request = randomRequest(dice)
    const policies = randomPolicies(dice, request)
    const ours = wordsOf(evaluate(request, compiled(policies)))
    const theirs = referenceDecision(request, policies)
    tally.cases += 1
    add(tally.outcomes, theirs.split(' ')[0]!)
    if (ours !== theirs) tally.disagreements.push(report(index, ours, theirs, request, policies))
    if (enough > 0) countDeciders(tally, enough, theirs, request, policies)
    if (onProgress && tally.cases % 50_000 === 0) onProgress(tally)
  }
  return tally
}

function compiled(policies: PlainPolicies): PolicySet {
  const ready = ({ id, kind, document }: PlainPolicy) =>
    compilePolicy(parsePolicy(JSON.stringify(document), { kind, maxBytes: 20_480 }), id)
  return {
    identity: policies.identity.map(ready),
    boundary: policies.boundary ? ready(policies.boundary) : null,
    session: policies.session ? policies.session.map(ready) : null,
    resource: policies.resource ? ready(policies.resource) : null,
    account: policies.account.map(ready),
  }
}

function wordsOf({ outcome, statements }: Decision): string {
  return [
    outcome,
    ...statements.map(({ place, policyId, statementIndex }) => `${place} ${policyId} ${statementIndex}`),
  ].join(' ')
}

/** Turns each condition's answer around in turn. */
function countDeciders(
  tally: CaseTally,
  enough: number,
  outcome: string,
  request: PolicyRequest,
  policies: PlainPolicies,
): void {
  const all = [
    ...policies.account,
    ...policies.identity,
    policies.boundary,
    ...(policies.session ?? []),
    policies.resource,
  ]
  for (const policy of all) {
    const statements = [policy?.document.Statement ?? []].flat()
    for (const [index, { Condition = {} }] of statements.entries()) {
      for (const [operator, keys] of Object.entries(Condition)) {
        for (const key of Object.keys(keys)) {
          if ((tally.decided.get(operator) ?? 0) >= enough) continue
          const turned = referenceDecision(
            request,
            policies,
            (_place, id, at) => (name, named, answer) =>
              id === policy!.id && at === index && name === operator && named === key ? !answer : answer,
          )
          if (turned.split(' ')[0] !== outcome.split(' ')[0]) add(tally.decided, operator)
        }
      }
    }
  }
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

function report(
  index: number,
  ours: string,
  theirs: string,
  request: PolicyRequest,
  policies: PlainPolicies,
): string {
  return `case ${index}: ${ours}, reference: ${theirs}\n${JSON.stringify({ request, policies })}`
}

export function tallyLine(tally: CaseTally): string {
  const outcomes = ['allow', 'explicitDeny', 'implicitDeny'].map(
    (name) => `${tally.outcomes.get(name) ?? 0} ${name}`,
  )
  return `${tally.cases} cases: ${outcomes.join(', ')}; ${tally.disagreements.length} disagreements`
}
