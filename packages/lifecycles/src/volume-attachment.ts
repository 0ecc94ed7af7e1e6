import { defineLifecycle, type EventOf, type StateOf } from './define-lifecycle.ts'

/** EC2's states of a volume's attachment. A detached one is no row any more. */
export const attachmentLifecycle = defineLifecycle({
  name: 'volume_attachment',
  initial: 'attaching',
  states: {
    attaching: { doc: 'The instance is to have the volume.' },
    attached: { doc: 'The instance has it, or will have it when it starts.' },
    detaching: { doc: 'It is to be given back; the guest may still hold it.' },
    detached: { terminal: true, doc: 'Nobody can reach the volume by it any more.' },
  },
  events: {
    pluggedIn: {
      family: 'observed',
      from: ['attaching'],
      already: ['attached'],
      to: 'attached',
      doc: 'Its node said that the domain has it.',
    },
    attachFailed: {
      family: 'observed',
      from: ['attaching'],
      already: ['detaching'],
      to: 'detaching',
      doc: 'Its node cannot plug it in.',
    },
    detachAsked: {
      family: 'asked',
      from: ['attaching', 'attached'],
      already: ['detaching'],
      to: 'detaching',
      doc: 'DetachVolume.',
    },
    instanceEnds: {
      family: 'observed',
      from: ['attaching', 'attached'],
      already: ['detaching'],
      to: 'detaching',
      doc: 'Its instance is terminated.',
    },
    withdrawn: {
      family: 'observed',
      from: ['detaching'],
      to: 'detached',
      doc: 'Its last target is gone.',
    },
  },
})

export type AttachmentState = StateOf<typeof attachmentLifecycle>
export type AttachmentEvent = EventOf<typeof attachmentLifecycle>
