import type { ActionWatch } from '../../src/http/visit.ts'

/** Sees which members of their inputs actions read, and which members they answer; list indices are left out. */
export class RecordingWatch implements ActionWatch {
  readonly read = new Map<string, Set<string>>()
  readonly answered = new Map<string, Set<string>>()

  input(action: string, input: Record<string, unknown>): Record<string, unknown> {
    return watched(input, '', setOf(this.read, action)) as Record<string, unknown>
  }

  output(action: string, output: Record<string, unknown>): void {
    note(output, '', setOf(this.answered, action))
  }

  readOf(action: string): Set<string> {
    return setOf(this.read, action)
  }
}

function setOf(map: Map<string, Set<string>>, key: string): Set<string> {
  const present = map.get(key) ?? new Set<string>()
  map.set(key, present)
  return present
}

function watched(value: unknown, path: string, read: Set<string>): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Uint8Array)
    return value
  return new Proxy(value, {
    get(target, key, receiver) {
      const inner: unknown = Reflect.get(target, key, receiver)
      if (typeof key === 'symbol' || typeof inner === 'function') return inner
      if (Array.isArray(target)) return /^\d+$/.test(key) ? watched(inner, path, read) : inner
      const here = path === '' ? key : `${path}.${key}`
      read.add(here)
      return watched(inner, here, read)
    },
  })
}

function note(value: unknown, path: string, answered: Set<string>): void {
  if (value === undefined || value === null) return
  if (Array.isArray(value)) {
    for (const item of value) note(item, path, answered)
    return
  }
  if (typeof value !== 'object' || value instanceof Date || value instanceof Uint8Array) return
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue
    const here = path === '' ? key : `${path}.${key}`
    answered.add(here)
    note(inner, here, answered)
  }
}
