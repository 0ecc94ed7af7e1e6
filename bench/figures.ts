/** Least, middle and greatest of a list of figures. */
export interface Figures {
  readonly least: number
  readonly median: number
  readonly greatest: number
}

export function figures(values: readonly number[]): Figures {
  const sorted = values.toSorted((a, b) => a - b)
  return { least: sorted[0]!, median: sorted[Math.floor(sorted.length / 2)]!, greatest: sorted.at(-1)! }
}

export function figureLine(what: string, unit: string, of: Figures): string {
  return `${what.padEnd(44)} ${of.least.toFixed(0)} / ${of.median.toFixed(0)} / ${of.greatest.toFixed(0)} ${unit} (least / median / greatest)`
}

/** The value that this part of the values does not exceed: 0.99 for p99. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(Math.ceil(sorted.length * part) - 1, sorted.length - 1)] ?? Number.NaN
}
