import { minuteMs } from '@mallee/base'
import { instanceLifecycle, type InstanceEvent } from '@mallee/lifecycles'
import type { DomainTable, InstanceTable } from '../store/tables.ts'

/**
 * What to do with one instance, from its rows alone: pure, so that the simulation and the unit tests run the very same
 * decision. An instance-store guest whose domain ended by anything but its own shutdown gets a new incarnation on the
 * same node from its own disk; only a lost disk or a request terminates it (DECISIONS 17). Silence is never evidence.
 */
export type Decision =
  | { readonly do: 'nothing' }
  | { readonly do: 'wait'; readonly againMs: number }
  /** Make the next incarnation on the instance's node. */
  | { readonly do: 'incarnate'; readonly restarts: number }
  /** Keep what the current incarnation's item says in step with the instance. */
  | { readonly do: 'keep'; readonly intent: DomainTable['intent'] }
  | {
      readonly do: 'transition'
      readonly event: InstanceEvent
      readonly reason?: { code: string; message: string }
    }
  /** Nothing of a stopped instance is left on its node: give back its room there. */
  | { readonly do: 'leave' }
  /** Everything is gone from the node: give back the network, take the items out, and be terminated. */
  | { readonly do: 'release' }

/** A guest that lived this long ended for a new reason: its next restart does not wait. */
const livedMs = 2 * minuteMs
const firstRestartMs = 500
const longestRestartMs = minuteMs

export function restartDelayMs(restarts: number): number {
  return restarts === 0 ? 0 : Math.min(firstRestartMs * 2 ** (restarts - 1), longestRestartMs)
}

/** What else a decision depends on. */
export interface Circumstances {
  /** Whether it is shut down for a bundle of its disk: that was asked for, and so is that it comes back. */
  readonly isBundled?: boolean
  /** Whether every volume that it is to start with can be reached from its node; or why that will never be. */
  readonly volumes?: 'ready' | 'waiting' | { readonly failed: string }
}

export function decideInstance(
  instance: InstanceTable,
  domain: DomainTable | undefined,
  nowMs: number,
  { isBundled = false, volumes = 'ready' }: Circumstances = {},
): Decision {
  if (instanceLifecycle.isTerminal(instance.state) || instance.state === 'stopped') return { do: 'nothing' }
  if (instance.state === 'stopping') return decideStopping(domain)
  if (instance.state === 'shutting-down') {
    if (!domain || domain.observed_state === 'gone')
      return domain?.intent === 'release' ? { do: 'keep', intent: 'remove' } : { do: 'release' }
    return { do: 'keep', intent: 'remove' }
  }
  const starts = (decision: Decision) =>
    decision.do === 'incarnate' ? whenReady(instance, decision, volumes) : decision
  if (!domain) return starts({ do: 'incarnate', restarts: 0 })
  if (domain.disk_lost === 1) {
    return {
      do: 'transition',
      event: 'diskLost',
      reason: {
        code: 'Server.InternalError',
        message: 'Server.InternalError: the instance store of the instance is lost',
      },
    }
  }
  if (isBundled && instance.state === 'running' && domain.observed_state !== 'failed')
    return domain.observed_state === 'gone' ? { do: 'nothing' } : { do: 'keep', intent: 'release' }
  switch (domain.observed_state) {
    case null:
    case 'preparing':
      return { do: 'keep', intent: domain.intent }
    case 'running':
      return instance.state === 'pending'
        ? { do: 'transition', event: 'domainRunning' }
        : { do: 'keep', intent: domain.intent }
    case 'failed':
      return {
        do: 'transition',
        event: ranBefore(instance) ? 'startFailed' : 'launchFailed',
        reason: {
          code: 'Server.InternalError',
          message: `Server.InternalError: ${domain.message ?? 'the launch failed on the node'}`,
        },
      }
    case 'ended':
      return decideEnded(instance, domain)
    case 'gone':
      return starts(decideNext(instance, domain, nowMs))
  }
}

/** An instance whose volumes outlive its domain, and that had one before: it is stopped, and can be started again. */
function ranBefore(instance: InstanceTable): boolean {
  return instance.root_device_type === 'ebs' && instance.incarnation > 1
}

/** The guest is asked, then ended; nothing of it stays on the node, since it may be started on another. */
function decideStopping(domain: DomainTable | undefined): Decision {
  if (domain && (domain.observed_state !== 'gone' || domain.intent === 'release'))
    return { do: 'keep', intent: 'remove' }
  return { do: 'leave' }
}

function whenReady(
  instance: InstanceTable,
  decision: Decision,
  volumes: NonNullable<Circumstances['volumes']>,
): Decision {
  if (volumes === 'ready') return decision
  if (volumes === 'waiting') return { do: 'nothing' }
  const message = `Client.InternalError: ${volumes.failed}`
  const event = ranBefore(instance) ? 'startFailed' : 'launchFailed'
  return { do: 'transition', event, reason: { code: 'Client.InternalError', message } }
}

function decideEnded(instance: InstanceTable, domain: DomainTable): Decision {
  if (domain.end_reason === 'shutdown' && domain.intent === 'run') {
    const stops = instance.root_device_type === 'ebs' && instance.shutdown_behavior === 'stop'
    return {
      do: 'transition',
      event: stops ? 'guestStopped' : 'guestEnded',
      reason: {
        code: 'Client.InstanceInitiatedShutdown',
        message: 'Client.InstanceInitiatedShutdown: Instance initiated shutdown',
      },
    }
  }
  return { do: 'keep', intent: 'release' }
}

/** The incarnation left nothing but the disk: the next one follows, later the more often it happened. */
function decideNext(instance: InstanceTable, domain: DomainTable, nowMs: number): Decision {
  if (domain.intent === 'remove') return { do: 'incarnate', restarts: 0 } // it was stopped, and is started
  const aliveMs = domain.started_at === null ? 0 : (domain.observed_at ?? nowMs) - domain.started_at
  const restarts = aliveMs >= livedMs ? 0 : instance.restarts
  const delayMs = restartDelayMs(restarts)
  const leftMs = (domain.observed_at ?? 0) + delayMs - nowMs
  // More than the whole delay is left only where the clock was set back: no reason to keep the guest waiting.
  const wait = leftMs > 0 && leftMs <= delayMs
  return wait ? { do: 'wait', againMs: leftMs } : { do: 'incarnate', restarts: restarts + 1 }
}
