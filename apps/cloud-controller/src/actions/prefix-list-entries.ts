import { formatCidr, parseCidr } from '@mallee/base'
import { invalidParameterValue, missingParameter, type Ec2 } from '@mallee/ec2-api'
import type { PrefixListEntry } from '../store/prefix-list-store.ts'

/** Entries that one request may name in each list. */
const mostEntries = 100

/** The entries of a request, their host bits cleared; each block once. */
export function addedEntries(given: readonly Ec2.AddPrefixListEntry[] = []): PrefixListEntry[] {
  const entries = limited(given).map((entry) => ({
    cidr: blockOf(entry.Cidr),
    description: descriptionOf(entry.Description),
  }))
  refuseRepeats(entries.map((entry) => entry.cidr))
  return entries
}

/** None of which may be among those that are added. */
export function removedBlocks(
  given: readonly Ec2.RemovePrefixListEntry[] = [],
  added: readonly PrefixListEntry[],
): string[] {
  const blocks = limited(given).map((entry) => blockOf(entry.Cidr))
  refuseRepeats(blocks)
  const both = added.find((entry) => blocks.includes(entry.cidr))
  if (both)
    throw invalidParameterValue(
      `Request cannot contain Cidr ${both.cidr} in both AddPrefixListEntries and RemovePrefixListEntries`,
    )
  return blocks
}

function limited<T>(given: readonly T[]): readonly T[] {
  if (given.length > mostEntries)
    throw invalidParameterValue(`The number of entries per request cannot exceeds limit (${mostEntries}).`)
  return given
}

function blockOf(cidr: string | undefined): string {
  if (cidr === undefined) throw missingParameter('Cidr')
  const block = parseCidr(cidr)
  if (!block)
    throw invalidParameterValue(
      `The CIDR ${cidr.slice(0, 60)} is invalid for a prefix list of IPv4 addresses.`,
    )
  return formatCidr(block)
}

function descriptionOf(text: string | undefined): string | null {
  if (text === undefined || text === '') return null
  if ([...text].length > 255) throw invalidParameterValue('The description of an entry is too long.')
  return text
}

function refuseRepeats(blocks: readonly string[]): void {
  const twice = blocks.find((block, index) => blocks.indexOf(block) !== index)
  if (twice !== undefined) throw invalidParameterValue(`Request cannot contain Cidr ${twice} more than once`)
}
