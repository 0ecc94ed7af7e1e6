import { defineLifecycle, type EventOf, type StateOf } from './define-lifecycle.ts'

/**
 * EC2's six instance states; the numeric codes are those of `InstanceState` in the EC2 API. Progress is not put here:
 * it stands beside the state, in the domain row and in `stateReason`.
 */
export const instanceLifecycle = defineLifecycle({
  name: 'instance',
  initial: 'pending',
  states: {
    pending: { code: 0, doc: 'Accepted; not yet observed running.' },
    running: { code: 16, doc: 'Its domain was observed running.' },
    'shutting-down': { code: 32, doc: 'It is to be terminated; something of it may be left.' },
    terminated: { code: 48, terminal: true, doc: 'Nothing of it is left on any node.' },
    stopping: { code: 64, doc: 'Stop was asked for.' },
    stopped: { code: 80, doc: 'Its domain is gone; its volumes remain.' },
  },
  events: {
    domainRunning: {
      family: 'observed',
      from: ['pending'],
      already: ['running'],
      to: 'running',
      doc: 'A node observed the domain running.',
    },
    launchFailed: {
      family: 'observed',
      from: ['pending', 'running'],
      to: 'shutting-down',
      doc: 'The launch cannot succeed; stateReason says why.',
    },
    guestEnded: {
      family: 'observed',
      from: ['pending', 'running'],
      to: 'shutting-down',
      doc: 'The guest shut itself down and that means terminate.',
    },
    diskLost: {
      family: 'observed',
      from: ['pending', 'running'],
      to: 'shutting-down',
      doc: 'The only copy of its instance-store disk is gone.',
    },
    guestStopped: {
      family: 'observed',
      from: ['pending', 'running'],
      already: ['stopping', 'stopped'],
      to: 'stopping',
      doc: 'The guest shut itself down and that means stop.',
    },
    startFailed: {
      family: 'observed',
      from: ['pending', 'running'],
      already: ['stopping', 'stopped'],
      to: 'stopping',
      doc: 'An instance that was stopped cannot be started; its volumes remain.',
    },
    nodeLost: {
      family: 'observed',
      from: ['pending', 'running', 'stopping'],
      already: ['stopped'],
      to: 'stopped',
      doc: 'Its node was declared dead; its volumes remain.',
    },
    stopAsked: {
      family: 'asked',
      from: ['pending', 'running'],
      already: ['stopping', 'stopped'],
      to: 'stopping',
      doc: 'StopInstances.',
    },
    domainGone: {
      family: 'observed',
      from: ['pending', 'running', 'stopping'],
      already: ['stopped'],
      to: 'stopped',
      doc: 'A node observed no domain of an instance whose volumes outlive it.',
    },
    startAsked: {
      family: 'asked',
      from: ['stopped'],
      already: ['pending', 'running'],
      to: 'pending',
      doc: 'StartInstances.',
    },
    terminateAsked: {
      family: 'asked',
      from: ['pending', 'running', 'stopping', 'stopped'],
      already: ['shutting-down', 'terminated'],
      to: 'shutting-down',
      doc: 'TerminateInstances.',
    },
    released: {
      family: 'observed',
      from: ['shutting-down'],
      already: ['terminated'],
      to: 'terminated',
      doc: 'Domain gone, interfaces and addresses released.',
    },
  },
})

export type InstanceState = StateOf<typeof instanceLifecycle>
export type InstanceEvent = EventOf<typeof instanceLifecycle>
