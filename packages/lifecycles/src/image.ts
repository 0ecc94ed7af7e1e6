import { defineLifecycle, type EventOf, type StateOf } from './define-lifecycle.ts'

/** EC2's image states that a registered object passes through; walrus inspects the bytes between the first two. */
export const imageLifecycle = defineLifecycle({
  name: 'image',
  initial: 'pending',
  states: {
    pending: { doc: 'Registered; walrus has not yet said that its bytes are an image.' },
    available: { doc: 'Its bytes were read whole, their format and digest are known: it can be launched.' },
    failed: { doc: 'Its bytes cannot be launched; stateReason says why.' },
    deregistered: { terminal: true, doc: 'No launches any more; running instances keep it.' },
  },
  events: {
    inspected: {
      family: 'observed',
      from: ['pending'],
      already: ['available'],
      to: 'available',
      doc: 'Walrus reported format, size and digest.',
    },
    refused: {
      family: 'observed',
      from: ['pending'],
      already: ['failed'],
      to: 'failed',
      doc: 'Walrus reported that the object is no usable image.',
    },
    deregisterAsked: {
      family: 'asked',
      from: ['pending', 'available', 'failed'],
      to: 'deregistered',
      doc: 'DeregisterImage.',
    },
  },
})

export type ImageState = StateOf<typeof imageLifecycle>
export type ImageEvent = EventOf<typeof imageLifecycle>
