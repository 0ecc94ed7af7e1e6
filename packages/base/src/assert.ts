/** Thrown when something that must be true is not: a fault of ours, never of a caller. */
export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure'
}

/** Asserts what must be; stays on in production, because a wrong state is worse than a stopped loop. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message)
}

/** Narrows away null and undefined where their presence would be a fault of ours. */
export function must<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new AssertionFailure(`${what} must be there`)
  return value
}

/** Marks the branch that the type system says cannot be reached. */
export function unreachable(value: never, what: string): never {
  throw new AssertionFailure(`unreachable ${what}: ${JSON.stringify(value)}`)
}
