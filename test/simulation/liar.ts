import type { Random } from '@mallee/base'
import type { DomainFacts, Observation, Report } from '@mallee/agent-contract'
import { nothing } from './simulated-node.ts'

/**
 * What a node that lies says. Of another node's domains it says anything. Of its own it says what no honest node could:
 * that what ran never started, that nothing is left of what nobody asked to remove, that the disk under a running guest
 * is lost, that it answers a generation which was never issued. (That its own guest shut itself down cannot be told from the truth, and is not tried.)
 */
const ofOthers: readonly Partial<DomainFacts>[] = [
  { state: 'running', startedAtMs: 1 },
  { state: 'ended', endReason: 'shutdown' },
  { state: 'ended', endReason: 'crashed' },
  { state: 'ended', endReason: 'lost', diskLost: true },
  { state: 'failed', message: 'it says so' },
  { state: 'gone', endReason: 'destroyed' },
]

const ofItsOwn: readonly Partial<DomainFacts>[] = [
  { state: 'failed', message: 'it says so' },
  { state: 'gone' },
  { state: 'running', diskLost: true },
  { state: 'ended', endReason: 'lost', diskLost: true },
  { state: 'preparing' },
  { state: 'ended', endReason: 'crashed' },
  { state: 'flying' as never },
]

export interface Known {
  readonly id: string
  /** The record has seen it run in this very incarnation. */
  readonly seenRunning: boolean
}

export function lieIn(
  report: Report,
  options: { random: Random; own: readonly Known[]; others: readonly Known[] },
): Report {
  const { random } = options
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.fraction() * list.length)]!
  const lies: Observation[] = []
  const say = (id: string, facts: Partial<DomainFacts>) =>
    lies.push({
      kind: 'domain',
      id,
      generation: pick([0, 99]),
      facts: { ...nothing, ...facts },
    })
  for (const domain of options.others) if (random.fraction() < 0.7) say(domain.id, pick(ofOthers))
  const ran = options.own.filter((domain) => domain.seenRunning)
  if (ran.length > 0 && random.fraction() < 0.7) say(pick(ran).id, pick(ofItsOwn))
  say('i-00000000000000000/1', { state: 'gone' })
  return {
    ...report,
    revision: Math.floor(random.fraction() * 1000),
    observations: [...report.observations, ...lies],
    undeclared: options.others.map((domain) => domain.id.split('/')[0]!),
  }
}
