import { defineLifecycle, type StateOf } from './define-lifecycle.ts'

/** What the admin has said of an agent; silent or back are observations beside it, never states of it. */
export const agentLifecycle = defineLifecycle({
  name: 'agent',
  initial: 'enabled',
  states: {
    enabled: { doc: 'Takes part in everything.' },
    disabled: { doc: 'Keeps what it has; gets nothing new.' },
    forgotten: { terminal: true, doc: "The operator's word that it is gone for good." },
  },
  events: {
    disableAsked: {
      family: 'asked',
      from: ['enabled'],
      already: ['disabled'],
      to: 'disabled',
      doc: 'mallee agent disable.',
    },
    enableAsked: {
      family: 'asked',
      from: ['disabled'],
      already: ['enabled'],
      to: 'enabled',
      doc: 'mallee agent enable.',
    },
    forgetAsked: {
      family: 'asked',
      from: ['enabled', 'disabled'],
      already: ['forgotten'],
      to: 'forgotten',
      doc: 'mallee agent forget.',
    },
  },
})

export type AgentState = StateOf<typeof agentLifecycle>
