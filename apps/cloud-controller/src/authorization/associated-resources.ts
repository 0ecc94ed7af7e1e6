/** What an id of an association or an attachment stands for, since policies know no such things. */
import type { Reader } from '../store/record.ts'
import type { NamedResource } from './named-resources.ts'

/** None where there is no such association. */
export async function associatedWith(db: Reader, id: string): Promise<NamedResource[]> {
  for (const read of readers) {
    const found = await read(db, id)
    if (found.length > 0) return found
  }
  return []
}

type Read = (db: Reader, id: string) => Promise<NamedResource[]>

const readers: readonly Read[] = [
  async (db, id) => {
    const query = db.selectFrom('address').select('allocation_id').where('association_id', '=', id)
    return some('elastic-ip', (await query.executeTakeFirst())?.allocation_id)
  },
  async (db, id) => {
    const query = db.selectFrom('route_table_association').select('route_table_id').where('id', '=', id)
    return some('route-table', (await query.executeTakeFirst())?.route_table_id)
  },
  async (db, id) => {
    const query = db.selectFrom('network_acl_association').select('acl_id').where('id', '=', id)
    return some('network-acl', (await query.executeTakeFirst())?.acl_id)
  },
  async (db, id) => {
    const query = db.selectFrom('network_interface').select(['id', 'instance_id'])
    const row = await query.where('attachment_id', '=', id).executeTakeFirst()
    return [...some('network-interface', row?.id), ...some('instance', row?.instance_id)]
  },
  async (db, id) => {
    const query = db.selectFrom('iam_profile_association').select('instance_id').where('id', '=', id)
    return some('instance', (await query.executeTakeFirst())?.instance_id)
  },
  async (db, id) => {
    const query = db.selectFrom('vpc_cidr').select('vpc_id').where('id', '=', id)
    return some('vpc', (await query.executeTakeFirst())?.vpc_id)
  },
]

const some = (type: string, id: string | null | undefined): NamedResource[] =>
  id === null || id === undefined ? [] : [{ type, id }]
