import { isWellFormedId } from '@mallee/base'
import { invalidPrefixListIdMalformed, invalidPrefixListIdNotFound } from '@mallee/ec2-api'
import { isKept, listEntries, usesOf } from '../../store/prefix-list-store.ts'
import type { PrefixListTable } from '../../store/routing-tables.ts'
import { prefixListView } from '../../views/prefix-list-view.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { ownedOf, requireOwned } from '../owned-networks.ts'
import { page } from '../pages.ts'
import { noSuchVersion } from './prefix-lists.ts'

const fields: FilterFields<PrefixListTable> = {
  'owner-id': (list) => [list.account_id],
  'prefix-list-id': (list) => [list.id],
  'prefix-list-name': (list) => [list.name],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeManagedPrefixLists.html */
export const describeManagedPrefixLists = defineEc2Action('DescribeManagedPrefixLists', {
  honours: ['PrefixListIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: true }),
  ids: ['PrefixListIds'],
  run(ctx, input) {
    return ctx.read(async (db) => {
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: await ownedOf(ctx, db, 'prefixList', input.PrefixListIds),
        idOf: (list) => list.id,
        fields,
        smallest: 1,
        largest: 100,
        view: (list, tags) => prefixListView(list, tags, ctx.settings.region),
      })
      return { PrefixLists: views, NextToken: nextToken }
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetManagedPrefixListEntries.html */
export const getManagedPrefixListEntries = defineEc2Action('GetManagedPrefixListEntries', {
  honours: ['PrefixListId', 'TargetVersion', 'MaxResults', 'NextToken'],
  run(ctx, input) {
    return ctx.read(async (db) => {
      const list = await requireOwned(ctx, db, 'prefixList', input.PrefixListId)
      const version = input.TargetVersion ?? list.version
      if (!isKept(list, version)) throw noSuchVersion(list, version)
      const entries = await listEntries(db, list.id, version)
      const cut = page(ctx, entries, input, { keyOf: (entry) => entry.cidr, smallest: 1, largest: 100 })
      return {
        Entries: cut.items.map(({ cidr, description }) => ({
          Cidr: cidr,
          ...(description === null ? {} : { Description: description }),
        })),
        NextToken: cut.nextToken,
      }
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetManagedPrefixListAssociations.html */
export const getManagedPrefixListAssociations = defineEc2Action('GetManagedPrefixListAssociations', {
  honours: ['PrefixListId', 'MaxResults', 'NextToken'],
  run(ctx, input) {
    return ctx.read(async (db) => {
      const list = await requireOwned(ctx, db, 'prefixList', input.PrefixListId)
      const uses = await usesOf(db, list.id)
      const cut = page(ctx, uses, input, { keyOf: (use) => use.resourceId, largest: 255 })
      return {
        PrefixListAssociations: cut.items.map((use) => ({
          ResourceId: use.resourceId,
          ResourceOwner: use.accountId,
        })),
        NextToken: cut.nextToken,
      }
    })
  },
})

const ofServices: FilterFields<never> = { 'prefix-list-id': () => [], 'prefix-list-name': () => [] }

/**
 * The lists of AWS's own services, which VPCs reach by gateway endpoints. No service here has such a list: there is none
 * to show, and none of any id. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribePrefixLists.html
 */
export const describePrefixLists = defineEc2Action('DescribePrefixLists', {
  honours: ['PrefixListIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(ofServices, { tagged: false }),
  run(ctx, input) {
    return ctx.read(async (db) => {
      for (const id of input.PrefixListIds ?? [])
        throw isWellFormedId('prefixList', id)
          ? invalidPrefixListIdNotFound(id)
          : invalidPrefixListIdMalformed(id)
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: [],
        idOf: () => '',
        tagged: false,
        fields: ofServices,
        view: (none: never) => none,
      })
      return { PrefixLists: views, NextToken: nextToken }
    })
  },
})
