import { newId } from '@mallee/base'
import {
  dependencyViolation,
  invalidParameterCombination,
  invalidParameterValue,
  invalidPrefixListModification,
  invalidRequest,
  prefixListMaxEntriesExceeded,
  prefixListVersionMismatch,
  resourceLimitExceeded,
  type Ec2Input,
} from '@mallee/ec2-api'
import {
  addVersion,
  deletePrefixList,
  insertPrefixList,
  isKept,
  listEntries,
  updatePrefixList,
  usersTooSmall,
  usesOf,
  wakeUsers,
  type PrefixListEntry,
} from '../../store/prefix-list-store.ts'
import { quotaOf, requireQuota } from '../../store/quota-store.ts'
import type { Reader } from '../../store/record.ts'
import type { PrefixListTable } from '../../store/routing-tables.ts'
import { putTags, readTags } from '../../store/tag-store.ts'
import { prefixListView } from '../../views/prefix-list-view.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { requireOwned } from '../owned-networks.ts'
import { addedEntries, removedBlocks } from '../prefix-list-entries.ts'
import { tagRows } from '../tag-specifications.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateManagedPrefixList.html */
export const createManagedPrefixList = defineEc2Action('CreateManagedPrefixList', {
  honours: ['PrefixListName', 'MaxEntries', 'Entries.Cidr', 'Entries.Description', 'TagSpecifications'],
  only: { AddressFamily: ['IPv4'] },
  creates: ['prefix-list'],
  run(ctx, input) {
    checkName(input.PrefixListName)
    const entries = addedEntries(input.Entries)
    return ctx.transaction(async (tx) => {
      await checkSize(ctx, tx.db, input.MaxEntries)
      if (entries.length > input.MaxEntries) throw prefixListMaxEntriesExceeded(input.MaxEntries)
      const { accountId } = ctx.caller
      const own = await tx.db
        .selectFrom('prefix_list')
        .select('id')
        .where('account_id', '=', accountId)
        .execute()
      await requireQuota(tx.db, ctx.caller, 'prefix-lists', own.length, () =>
        resourceLimitExceeded('The maximum number of prefix lists has been reached.'),
      )
      const list: PrefixListTable = {
        id: newId('prefixList', ctx.random),
        account_id: accountId,
        name: input.PrefixListName,
        max_entries: input.MaxEntries,
        version: 1,
        state: 'create-complete',
        state_message: null,
        created_at: ctx.nowMs,
      }
      await insertPrefixList(tx, list, entries)
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'prefix-list', [list.id]))
      tx.touch(list.id)
      return { PrefixList: await viewOf(ctx, tx.db, list) }
    })
  },
})

function checkName(name: string): void {
  if (name.length === 0 || [...name].length > 255 || name.startsWith('com.amazonaws'))
    throw invalidParameterValue(
      `Value (${name.slice(0, 60)}) for parameter PrefixListName is invalid: up to 255 characters that do not begin with com.amazonaws.`,
    )
}

async function checkSize(ctx: ActionContext, db: Reader, maxEntries: number): Promise<void> {
  const most = await quotaOf(db, ctx.caller.accountId, 'entries-per-prefix-list')
  if (maxEntries < 1 || maxEntries > most)
    throw invalidParameterValue(`Must specify a max size between 1 and ${most}`)
}

async function viewOf(
  ctx: ActionContext,
  db: Reader,
  list: PrefixListTable,
  state?: 'delete-complete',
): Promise<ReturnType<typeof prefixListView>> {
  const tags = (await readTags(db, ctx.caller.accountId, [list.id])).get(list.id) ?? []
  return prefixListView(list, tags, ctx.settings.region, state)
}

type Modification = Ec2Input<'ModifyManagedPrefixList'>

/** Its entries, its size or its name; the last may go with either. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyManagedPrefixList.html */
export const modifyManagedPrefixList = defineEc2Action('ModifyManagedPrefixList', {
  honours: [
    'PrefixListId',
    'CurrentVersion',
    'PrefixListName',
    'MaxEntries',
    'AddEntries.Cidr',
    'AddEntries.Description',
    'RemoveEntries.Cidr',
  ],
  run(ctx, input) {
    const added = addedEntries(input.AddEntries)
    const removed = removedBlocks(input.RemoveEntries, added)
    const changesEntries = added.length > 0 || removed.length > 0
    if (changesEntries && input.MaxEntries !== undefined)
      throw invalidParameterCombination(
        'You cannot modify the entries of a prefix list and its size at the same time.',
      )
    if (!changesEntries && input.MaxEntries === undefined && input.PrefixListName === undefined)
      throw invalidRequest()
    if (input.PrefixListName !== undefined) checkName(input.PrefixListName)
    return ctx.transaction(async (tx) => {
      let list = await requireOwned(ctx, tx.db, 'prefixList', input.PrefixListId)
      checkVersion(list, input.CurrentVersion)
      list = { ...list, name: input.PrefixListName ?? list.name }
      if (changesEntries) list = await withEntries(tx, list, added, removed)
      if (input.MaxEntries !== undefined) list = await resized(ctx, tx, list, input.MaxEntries)
      return finish(ctx, tx, list)
    })
  },
})

function checkVersion(list: PrefixListTable, current: Modification['CurrentVersion']): void {
  if (current !== undefined && current !== list.version) throw prefixListVersionMismatch()
}

/** Writes the list down and tells the nodes that its users are on. */
async function finish(ctx: ActionContext, tx: ActionTransaction, list: PrefixListTable) {
  await updatePrefixList(tx, list)
  await wakeUsers(tx, ctx.wakes, list.id)
  tx.touch(list.id)
  return { PrefixList: await viewOf(ctx, tx.db, list) }
}

async function withEntries(
  tx: ActionTransaction,
  list: PrefixListTable,
  added: readonly PrefixListEntry[],
  removed: readonly string[],
): Promise<PrefixListTable> {
  const before = await listEntries(tx.db, list.id, list.version)
  const entries = new Map(before.map(({ cidr, description }) => [cidr, description]))
  for (const cidr of removed)
    if (!entries.delete(cidr)) throw invalidPrefixListModification(`The entry ${cidr} does not exist.`)
  const isNews = added.some((entry) => entries.get(entry.cidr) !== entry.description)
  if (!isNews && removed.length === 0)
    throw invalidPrefixListModification('The prefix list has all of these entries.')
  for (const entry of added) entries.set(entry.cidr, entry.description)
  if (entries.size > list.max_entries) throw prefixListMaxEntriesExceeded(list.max_entries)
  const next = await addVersion(
    tx,
    list,
    [...entries].map(([cidr, description]) => ({ cidr, description })),
  )
  return { ...next, state: 'modify-complete', state_message: null }
}

/** Where a user of the list has no room for it, the list stays as it is and says so, as on AWS. */
async function resized(
  ctx: ActionContext,
  tx: ActionTransaction,
  list: PrefixListTable,
  maxEntries: number,
): Promise<PrefixListTable> {
  await checkSize(ctx, tx.db, maxEntries)
  const entries = await listEntries(tx.db, list.id, list.version)
  if (entries.length > maxEntries) throw prefixListMaxEntriesExceeded(maxEntries)
  const small = await usersTooSmall(tx.db, list, maxEntries, (name) =>
    quotaOf(tx.db, ctx.caller.accountId, name),
  )
  if (small.length === 0)
    return { ...list, max_entries: maxEntries, state: 'modify-complete', state_message: null }
  const message = `The following resources do not support a maximum size of ${maxEntries}: ${small.slice(0, 10).join(', ')}`
  return { ...list, state: 'modify-failed', state_message: message }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RestoreManagedPrefixListVersion.html */
export const restoreManagedPrefixListVersion = defineEc2Action('RestoreManagedPrefixListVersion', {
  honours: ['PrefixListId', 'PreviousVersion', 'CurrentVersion'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const list = await requireOwned(ctx, tx.db, 'prefixList', input.PrefixListId)
      checkVersion(list, input.CurrentVersion)
      if (input.PreviousVersion === list.version || !isKept(list, input.PreviousVersion))
        throw noSuchVersion(list, input.PreviousVersion)
      const entries = await listEntries(tx.db, list.id, input.PreviousVersion)
      if (entries.length > list.max_entries) throw prefixListMaxEntriesExceeded(list.max_entries)
      const next = await addVersion(
        tx,
        list,
        entries.map(({ cidr, description }) => ({ cidr, description })),
      )
      return finish(ctx, tx, { ...next, state: 'restore-complete', state_message: null })
    })
  },
})

export function noSuchVersion(list: PrefixListTable, version: number) {
  return invalidParameterValue(`The prefix list ${list.id} has no version ${version} to go back to.`)
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteManagedPrefixList.html */
export const deleteManagedPrefixList = defineEc2Action('DeleteManagedPrefixList', {
  honours: ['PrefixListId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const list = await requireOwned(ctx, tx.db, 'prefixList', input.PrefixListId)
      const [use] = await usesOf(tx.db, list.id)
      if (use) throw dependencyViolation(`The prefix list ${list.id} is referenced by ${use.resourceId}.`)
      const gone = await viewOf(ctx, tx.db, list, 'delete-complete')
      await deletePrefixList(tx, list.id)
      tx.touch(list.id)
      return { PrefixList: gone }
    })
  },
})
