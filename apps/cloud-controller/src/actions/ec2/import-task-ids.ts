import { invalidConversionTaskId, invalidConversionTaskIdMalformed } from '@mallee/ec2-api'

const importForm = /^import-(?:ami|snap|i|vol)-[0-9a-z]{8,17}$/

/** Throws InvalidConversionTaskId.Malformed. */
export function requireTaskForm(ids: readonly string[]): void {
  const malformed = ids.find((id) => !importForm.test(id))
  if (malformed !== undefined) throw invalidConversionTaskIdMalformed(malformed)
}

/**
 * Those of the caller's tasks that a Describe shows: the ones that are named, or of all those that are not too old.
 * Throws InvalidConversionTaskId where a name names none.
 */
export function shownTasks<T extends { readonly id: string; readonly created_at: number }>(
  found: readonly T[],
  { ids, since }: { readonly ids: readonly string[]; readonly since: number },
): readonly T[] {
  const missing = ids.filter((id) => !found.some((task) => task.id === id))
  if (missing.length > 0) throw invalidConversionTaskId(missing)
  return ids.length > 0 ? found : found.filter((task) => task.created_at > since)
}
