import { noSuchEntity } from '@mallee/iam-api'
import type { InstanceProfileTable } from '../identity-tables.ts'
import type { Reader } from '../record.ts'

export async function instanceProfileNamed(
  db: Reader,
  accountId: string,
  name: string,
): Promise<InstanceProfileTable> {
  const profile = await db
    .selectFrom('iam_instance_profile')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('name', '=', name)
    .executeTakeFirst()
  if (!profile) throw noSuchEntity(`Instance Profile ${name} cannot be found.`)
  return profile
}
