import { isWellFormedId, type IdKind } from '@mallee/base'

/** Refuses ids of the wrong form first, then those that the account has not, naming every missing one. */
export function requireIds<T>(
  ids: readonly string[],
  found: readonly T[],
  options: {
    kind: IdKind
    idOf: (thing: T) => string
    malformed: (id: string) => Error
    missing: (ids: string[]) => Error
  },
): T[] {
  for (const id of ids) if (!isWellFormedId(options.kind, id)) throw options.malformed(id)
  const byId = new Map(found.map((thing) => [options.idOf(thing), thing]))
  const missing = [...new Set(ids)].filter((id) => !byId.has(id))
  if (missing.length > 0) throw options.missing(missing)
  return [...new Set(ids)].map((id) => byId.get(id)!)
}
