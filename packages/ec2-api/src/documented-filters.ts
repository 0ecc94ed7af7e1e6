/** The filters that AWS documents, by action. The file is read on first use. */
import { readFileSync } from 'node:fs'

let loaded: Readonly<Record<string, readonly string[]>> | undefined

/** Names as they stand in `Filter.N.Name`; `tag:KEY` stands for a tag of any key. */
export function documentedFilters(): Readonly<Record<string, readonly string[]>> {
  const file = new URL('../models/ec2-filters.json', import.meta.url)
  loaded ??= (JSON.parse(readFileSync(file, 'utf8')) as { filters: Record<string, string[]> }).filters
  return loaded
}
