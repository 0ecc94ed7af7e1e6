import { defineLifecycle, type EventOf, type StateOf } from './define-lifecycle.ts'

/** EC2's volume states. https://docs.aws.amazon.com/ebs/latest/userguide/ebs-describing-volumes.html */
export const volumeLifecycle = defineLifecycle({
  name: 'volume',
  initial: 'creating',
  states: {
    creating: { doc: 'Accepted; its storage controller has not yet said that it is there.' },
    available: { doc: 'It is there, and no instance has it.' },
    'in-use': { doc: 'An instance has it, or is about to, or is about to give it back.' },
    deleting: { doc: 'To be deleted; something of it may be left.' },
    deleted: { terminal: true, doc: 'Nothing of it is left on any storage controller.' },
    error: { doc: 'It could not be made; stateReason says why.' },
  },
  events: {
    created: {
      family: 'observed',
      from: ['creating'],
      already: ['available', 'in-use'],
      to: 'available',
      doc: 'Its storage controller said that it is there.',
    },
    createFailed: {
      family: 'observed',
      from: ['creating'],
      already: ['error'],
      to: 'error',
      doc: 'It cannot be made.',
    },
    lost: {
      family: 'observed',
      from: ['available'],
      already: ['error', 'in-use'],
      to: 'error',
      doc: 'Its storage controller said that its bytes are lost.',
    },
    attachAsked: {
      family: 'asked',
      from: ['available'],
      to: 'in-use',
      doc: 'AttachVolume, or a launch that brings it.',
    },
    madeForInstance: {
      family: 'observed',
      from: ['creating'],
      already: ['in-use'],
      to: 'in-use',
      doc: 'It is there, and was made for an instance.',
    },
    givenBack: {
      family: 'observed',
      from: ['in-use'],
      already: ['available'],
      to: 'available',
      doc: 'No instance can reach it any more.',
    },
    deleteAsked: {
      family: 'asked',
      from: ['creating', 'available', 'error'],
      already: ['deleting', 'deleted'],
      to: 'deleting',
      doc: 'DeleteVolume.',
    },
    endsWithInstance: {
      family: 'observed',
      from: ['creating', 'in-use', 'available', 'error'],
      already: ['deleting', 'deleted'],
      to: 'deleting',
      doc: 'Its instance is terminated and it was to go with it.',
    },
    removed: {
      family: 'observed',
      from: ['deleting'],
      already: ['deleted'],
      to: 'deleted',
      doc: 'Its storage controller said that nothing of it is left.',
    },
  },
})

export type VolumeState = StateOf<typeof volumeLifecycle>
export type VolumeEvent = EventOf<typeof volumeLifecycle>
