import type { Reader } from '../store/record.ts'
import { readTags } from '../store/tag-store.ts'
import type { ActionContext } from './define-action.ts'
import { applyFilters, type Filter, type FilterFields } from './filters.ts'
import { page, type PageInput } from './pages.ts'

export interface Tag {
  readonly Key: string
  readonly Value: string
}

/**
 * The way every describe goes from the things that the caller may see to one page of views: tags, filters, page. The
 * things are sorted by `keyOf`, which is the id where nothing else is said.
 */
export async function describeThings<T, V>(
  ctx: ActionContext,
  db: Reader,
  input: PageInput & { readonly Filters?: readonly Filter[] | undefined },
  options: {
    readonly things: readonly T[]
    /** The id that tags hang on, and that the things are sorted by unless `keyOf` is given. */
    readonly idOf: (thing: T) => string
    readonly keyOf?: (thing: T) => string
    /** Whether such things have tags. */
    readonly tagged?: boolean
    readonly fields: FilterFields<T>
    readonly smallest?: number
    readonly largest?: number
    /** Whether ids were given, with which MaxResults does not go. */
    readonly exclusiveIds?: boolean
    readonly view: (thing: T, tags: Tag[]) => V
  },
): Promise<{ views: V[]; nextToken: string | undefined }> {
  const { things, idOf, fields, view } = options
  const tags =
    options.tagged === false ? new Map<string, Tag[]>() : await readTags(db, ctx.scope, things.map(idOf))
  const tagsOf = (thing: T) => tags.get(idOf(thing)) ?? []
  const found = applyFilters(things, input.Filters, fields, options.tagged === false ? undefined : tagsOf)
  const cut = page(ctx, found, input, {
    keyOf: options.keyOf ?? idOf,
    exclusiveIds: options.exclusiveIds ?? false,
    ...(options.smallest === undefined ? {} : { smallest: options.smallest }),
    ...(options.largest === undefined ? {} : { largest: options.largest }),
  })
  return { views: cut.items.map((thing) => view(thing, tagsOf(thing))), nextToken: cut.nextToken }
}
