/**
 * What libvirt tells on its own. One registration with libvirt for each `onDomainEvent`; libvirt numbers it,
 * and every message carries that number. The listener is entered in the same turn in which that number is
 * read, so an event that follows on the heels of the answer is not lost.
 */
import {
  agentReasons,
  agentStates,
  blockJobStatuses,
  blockJobTypes,
  crashedDetails,
  definedDetails,
  domainEventIds,
  ioErrorActions,
  lifecycleEvents,
  pmsuspendedDetails,
  resumedDetails,
  shutdownDetails,
  startedDetails,
  stoppedDetails,
  suspendedDetails,
  undefinedDetails,
  watchdogActions,
} from './generated/enums.ts'
import { messages } from './generated/procedures.ts'
import type { DomainRef } from './domain-calls.ts'
import { nameOf } from './flags.ts'
import type { CallOptions, Rpc } from './rpc.ts'
import type { XdrReader } from './xdr.ts'

const details = {
  defined: definedDetails,
  undefined: undefinedDetails,
  started: startedDetails,
  suspended: suspendedDetails,
  resumed: resumedDetails,
  stopped: stoppedDetails,
  shutdown: shutdownDetails,
  pmsuspended: pmsuspendedDetails,
  crashed: crashedDetails,
} satisfies Record<(typeof lifecycleEvents)[number], readonly string[]>

type Details = typeof details
type OrUnknown<Names extends readonly string[]> = Names[number] | 'unknown'

/** `{ event: 'stopped', detail: 'destroyed' }`: each event with its own details. */
export type LifecycleEvent = { domain: DomainRef } & (
  | { [Event in keyof Details]: { event: Event; detail: OrUnknown<Details[Event]> } }[keyof Details]
  | { event: 'unknown'; detail: 'unknown' }
)

/** Every kind of event and what it carries. */
export interface DomainEvents {
  lifecycle: LifecycleEvent
  /** The guest restarted itself, or was reset. */
  reboot: { domain: DomainRef }
  watchdog: { domain: DomainRef; action: OrUnknown<typeof watchdogActions> }
  'device-added': { domain: DomainRef; device: string }
  /** The guest has let go of the device with this alias. */
  'device-removed': { domain: DomainRef; device: string }
  'device-removal-failed': { domain: DomainRef; device: string }
  'io-error': {
    domain: DomainRef
    sourcePath: string
    device: string
    action: OrUnknown<typeof ioErrorActions>
    /** 'enospc' or empty. */
    reason: string
  }
  'block-job': {
    domain: DomainRef
    /** Target name, 'vda'. */
    disk: string
    type: OrUnknown<typeof blockJobTypes>
    status: OrUnknown<typeof blockJobStatuses>
  }
  /** The guest agent's channel. */
  agent: { domain: DomainRef; state: OrUnknown<typeof agentStates>; reason: OrUnknown<typeof agentReasons> }
}

/** A kind of event. */
export type DomainEventKind = keyof DomainEvents
/** Ends a subscription; later events of it are not delivered. */
export type Unsubscribe = () => Promise<void>

interface EventKind<Event> {
  id: number
  procedure: number
  decode(body: XdrReader): { callbackID: number; event: Event }
}

function lifecycleEvent(domain: DomainRef, event: number, detail: number): LifecycleEvent {
  const name = nameOf(lifecycleEvents, event)
  const names: readonly string[] = name === 'unknown' ? [] : details[name]
  return { domain, event: name, detail: nameOf(names, detail) } as LifecycleEvent
}

const kinds: { [Kind in DomainEventKind]: EventKind<DomainEvents[Kind]> } = {
  lifecycle: {
    id: domainEventIds.lifecycle,
    procedure: messages.domainEventLifecycle.number,
    decode: (body) => {
      const { callbackID, msg } = messages.domainEventLifecycle.body.decode(body)
      return { callbackID, event: lifecycleEvent(msg.dom, msg.event, msg.detail) }
    },
  },
  reboot: {
    id: domainEventIds.reboot,
    procedure: messages.domainEventReboot.number,
    decode: (body) => {
      const { callbackID, msg } = messages.domainEventReboot.body.decode(body)
      return { callbackID, event: { domain: msg.dom } }
    },
  },
  watchdog: {
    id: domainEventIds.watchdog,
    procedure: messages.domainEventWatchdog.number,
    decode: (body) => {
      const { callbackID, msg } = messages.domainEventWatchdog.body.decode(body)
      return { callbackID, event: { domain: msg.dom, action: nameOf(watchdogActions, msg.action) } }
    },
  },
  'device-added': {
    id: domainEventIds['device-added'],
    procedure: messages.domainEventDeviceAdded.number,
    decode: (body) => {
      const { callbackID, dom, devAlias } = messages.domainEventDeviceAdded.body.decode(body)
      return { callbackID, event: { domain: dom, device: devAlias } }
    },
  },
  'device-removed': {
    id: domainEventIds['device-removed'],
    procedure: messages.domainEventDeviceRemoved.number,
    decode: (body) => {
      const { callbackID, msg } = messages.domainEventDeviceRemoved.body.decode(body)
      return { callbackID, event: { domain: msg.dom, device: msg.devAlias } }
    },
  },
  'device-removal-failed': {
    id: domainEventIds['device-removal-failed'],
    procedure: messages.domainEventDeviceRemovalFailed.number,
    decode: (body) => {
      const { callbackID, dom, devAlias } = messages.domainEventDeviceRemovalFailed.body.decode(body)
      return { callbackID, event: { domain: dom, device: devAlias } }
    },
  },
  'io-error': {
    id: domainEventIds['io-error-reason'],
    procedure: messages.domainEventIoErrorReason.number,
    decode: (body) => {
      const { callbackID, msg } = messages.domainEventIoErrorReason.body.decode(body)
      const { dom, srcPath, devAlias, action, reason } = msg
      const event = { domain: dom, sourcePath: srcPath, device: devAlias, reason }
      return { callbackID, event: { ...event, action: nameOf(ioErrorActions, action) } }
    },
  },
  'block-job': {
    id: domainEventIds['block-job-2'],
    procedure: messages.domainEventBlockJob2.number,
    decode: (body) => {
      const { callbackID, dom, dst, type, status } = messages.domainEventBlockJob2.body.decode(body)
      const words = { type: nameOf(blockJobTypes, type), status: nameOf(blockJobStatuses, status) }
      return { callbackID, event: { domain: dom, disk: dst, ...words } }
    },
  },
  agent: {
    id: domainEventIds['agent-lifecycle'],
    procedure: messages.domainEventAgentLifecycle.number,
    decode: (body) => {
      const { callbackID, dom, state, reason } = messages.domainEventAgentLifecycle.body.decode(body)
      const words = { state: nameOf(agentStates, state), reason: nameOf(agentReasons, reason) }
      return { callbackID, event: { domain: dom, ...words } }
    },
  },
}

const kindByProcedure = new Map(Object.values(kinds).map((kind) => [kind.procedure, kind]))

/** Listeners by libvirt's callback number, and the reading of messages for them. */
export class EventTable {
  private readonly listeners = new Map<number, (event: never) => void>()
  private readonly onListenerError: (error: unknown) => void

  constructor(onListenerError: (error: unknown) => void) {
    this.onListenerError = onListenerError
  }

  /** For the connection: a message of procedure `procedure` came. */
  deliver(procedure: number, body: XdrReader): void {
    const kind = kindByProcedure.get(procedure)
    if (kind === undefined) return
    const { callbackID, event } = kind.decode(body)
    try {
      this.listeners.get(callbackID)?.(event as never)
    } catch (error) {
      this.onListenerError(error)
    }
  }

  /** Registers with libvirt; null for `domain` means all. */
  async subscribe<Kind extends DomainEventKind>(
    rpc: Rpc,
    kind: Kind,
    listener: (event: DomainEvents[Kind]) => void,
    domain: DomainRef | null,
    options?: CallOptions,
  ): Promise<Unsubscribe> {
    const args = { eventID: kinds[kind].id, dom: domain }
    const { callbackID } = await rpc.call(
      'connectDomainEventCallbackRegisterAny',
      args,
      options,
      (answer) => void this.listeners.set(answer.callbackID, listener),
    )
    return async () => {
      // Gone already: unsubscribing twice is harmless.
      if (!this.listeners.delete(callbackID)) return
      await rpc.call('connectDomainEventCallbackDeregisterAny', { callbackID }, options)
    }
  }
}
