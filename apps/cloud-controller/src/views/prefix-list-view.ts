import type { Ec2 } from '@mallee/ec2-api'
import type { PrefixListTable } from '../store/routing-tables.ts'

/** `state`: of one that was just deleted it is no column of any row. */
export function prefixListView(
  list: PrefixListTable,
  tags: readonly { Key: string; Value: string }[],
  region: string,
  state: Ec2.PrefixListState = list.state,
): Ec2.ManagedPrefixList {
  return {
    PrefixListId: list.id,
    AddressFamily: 'IPv4',
    State: state,
    ...(list.state_message === null ? {} : { StateMessage: list.state_message }),
    PrefixListArn: `arn:aws:ec2:${region}:${list.account_id}:prefix-list/${list.id}`,
    PrefixListName: list.name,
    MaxEntries: list.max_entries,
    Version: list.version,
    Tags: [...tags],
    OwnerId: list.account_id,
  }
}
