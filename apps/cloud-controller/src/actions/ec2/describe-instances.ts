import { listInstances, listInstancesAfter } from '../../store/instance-store.ts'
import type { Reader } from '../../store/record.ts'
import type { InstanceTable } from '../../store/tables.ts'
import { readInstanceRows, reservationViews, withNodeTags } from '../../views/read-instances.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { applyFilters, filterNames } from '../filters.ts'
import { nextToken, page, pageOf, timeKey, type PageInput } from '../pages.ts'
import { requireInstances } from '../require-instances.ts'
import { instanceFields } from './instance-filters.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html */
export const describeInstances = defineEc2Action('DescribeInstances', {
  honours: ['InstanceIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(instanceFields(''), { tagged: true }),
  ids: ['InstanceIds'],

  async run(ctx, input) {
    const ids = input.InstanceIds ?? []
    return ctx.read(async (db) => {
      if (ids.length === 0 && (input.Filters?.length ?? 0) === 0) return describePage(ctx, db, input)
      const found = ids.length > 0 ? await requireInstances(ctx, db, ids) : await listInstances(db, ctx.scope)
      const rows = applyFilters(
        await rowsOf(ctx, db, found),
        input.Filters,
        instanceFields(ctx.settings.region),
        (row) => row.tags,
      )
      const cut = page(ctx, rows, input, {
        keyOf: (row) => keyOf(row.instance),
        exclusiveIds: ids.length > 0,
      })
      return { Reservations: reservationViews(cut.items, ctx.settings.region), NextToken: cut.nextToken }
    })
  },
})

function keyOf(instance: InstanceTable): string {
  return timeKey(instance.launched_at, instance.id)
}

async function rowsOf(ctx: ActionContext, db: Reader, instances: readonly InstanceTable[]) {
  const rows = await readInstanceRows(db, ctx.scope, instances)
  return ctx.scope === null ? withNodeTags(db, rows) : rows
}

/** Without ids and filters the record itself cuts the page: it costs the page and not the account. */
async function describePage(ctx: ActionContext, db: Reader, input: PageInput) {
  const { after, size } = pageOf(ctx, input)
  const [launchedAt, id] = after?.split(' ') ?? []
  const found = await listInstancesAfter(db, ctx.scope, {
    after: launchedAt === undefined || id === undefined ? null : { launchedAt: Number(launchedAt), id },
    limit: size === null ? Number.MAX_SAFE_INTEGER : size + 1,
  })
  const shown = size === null ? found : found.slice(0, size)
  const rows = await rowsOf(ctx, db, shown)
  return {
    Reservations: reservationViews(rows, ctx.settings.region),
    NextToken: shown.length < found.length ? nextToken(ctx, keyOf(shown.at(-1)!)) : undefined,
  }
}
