/** Flags are given by name, `['paused', 'validate']`, and go to libvirt as the sum of their bits. */

/** The names of a generated table of flags. */
export type FlagName<Table extends Record<string, number>> = keyof Table & string

/** The bits of `names`. Done without sign: libvirt's flags reach the 32nd bit. */
export function bits<Table extends Record<string, number>>(
  table: Table,
  names: readonly FlagName<Table>[] = [],
): number {
  let sum = 0
  for (const name of names) {
    const bit = table[name]
    if (bit === undefined) throw new RangeError(`unknown flag ${JSON.stringify(name)}`)
    sum = (sum | bit) >>> 0
  }
  return sum
}

/** The name of a number in a generated list, 'unknown' where a newer libvirt knows more than the list. */
export function nameOf<Name extends string>(names: readonly Name[], number: number): Name | 'unknown' {
  return names[number] ?? 'unknown'
}
