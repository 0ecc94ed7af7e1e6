import { defineLifecycle, type EventOf, type StateOf } from './define-lifecycle.ts'

/** EC2's states of a NAT gateway. */
export const natGatewayLifecycle = defineLifecycle({
  name: 'nat_gateway',
  initial: 'pending',
  states: {
    pending: { doc: 'It has its interface; no node carries it yet.' },
    available: { doc: 'A node translates by it.' },
    failed: { terminal: true, doc: 'It could not be made; it says why for an hour.' },
    deleting: { doc: 'Its interface is to go.' },
    deleted: { terminal: true, doc: 'Its interface is gone; it is described for another hour.' },
  },
  events: {
    carried: {
      family: 'observed',
      from: ['pending'],
      already: ['available'],
      to: 'available',
      doc: 'A node has it in its router.',
    },
    refused: {
      family: 'observed',
      from: ['pending'],
      already: ['failed'],
      to: 'failed',
      doc: 'Nothing can carry it.',
    },
    deleteAsked: {
      family: 'asked',
      from: ['pending', 'available'],
      already: ['deleting'],
      to: 'deleting',
      doc: 'DeleteNatGateway.',
    },
    gone: {
      family: 'observed',
      from: ['deleting'],
      already: ['deleted'],
      to: 'deleted',
      doc: 'Its interface is gone, and its node is told to let go of it.',
    },
  },
})

export type NatGatewayState = StateOf<typeof natGatewayLifecycle>
export type NatGatewayEvent = EventOf<typeof natGatewayLifecycle>
