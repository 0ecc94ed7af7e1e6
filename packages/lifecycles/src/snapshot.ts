import { defineLifecycle, type EventOf, type StateOf } from './define-lifecycle.ts'

/** EC2's snapshot states; a deleted one is no longer shown. */
export const snapshotLifecycle = defineLifecycle({
  name: 'snapshot',
  initial: 'pending',
  states: {
    pending: { doc: 'Its blocks are on their way to walrus.' },
    completed: { doc: 'Every block is in walrus.' },
    error: { doc: 'It could not be taken; stateMessage says why.' },
    deleted: { terminal: true, doc: 'Not shown any more; what is left of it is being removed.' },
  },
  events: {
    completed: {
      family: 'observed',
      from: ['pending'],
      already: ['completed'],
      to: 'completed',
      doc: 'Its storage controller said that every block is in walrus.',
    },
    failed: {
      family: 'observed',
      from: ['pending'],
      already: ['error'],
      to: 'error',
      doc: 'It cannot be taken.',
    },
    deleteAsked: {
      family: 'asked',
      from: ['pending', 'completed', 'error'],
      already: ['deleted'],
      to: 'deleted',
      doc: 'DeleteSnapshot.',
    },
  },
})

export type SnapshotState = StateOf<typeof snapshotLifecycle>
export type SnapshotEvent = EventOf<typeof snapshotLifecycle>
