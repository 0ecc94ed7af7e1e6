import type { Service, Parameters } from './client-requests.ts'
import type { Value } from './client-answers.ts'
import type { ClientWorld } from './client-world.ts'

/** One request that a command sends, and what it does with the answer. Names and forms are euca2ools 3.4's. */
export interface Step {
  readonly action: string
  readonly service?: Service
  /** Where it is not the one that goes with the service: the admin tools speak an older EC2. */
  readonly version?: string
  readonly byVersion2?: boolean
  readonly send?: (world: ClientWorld) => Parameters
  /** The elements that the command takes as lists. */
  readonly lists?: readonly string[]
  /** Where it goes in the answer; see `walk`. */
  readonly walks?: readonly string[]
  /** By path: a text that must be among those at its end. */
  readonly shows?: (world: ClientWorld) => Readonly<Record<string, string>>
  /** The code that it is answered with, and words of the message. */
  readonly refused?: readonly [code: string, message: string]
  /** Asked of a cloud in which nothing is, as well. */
  readonly whenEmpty?: boolean
  /** What later commands speak of. */
  readonly keep?: (world: ClientWorld, answer: Value) => void
}

export interface Command {
  readonly name: string
  readonly steps: readonly Step[]
}

export const command = (name: string, ...steps: readonly Step[]): Command => ({ name, steps })
