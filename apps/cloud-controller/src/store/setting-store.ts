import type { Reader, Tx } from './record.ts'

/** Small facts of the whole cloud by name, such as where round-robin stands. */
export async function getSetting(db: Reader, name: string): Promise<string | null> {
  const row = await db.selectFrom('setting').select('value').where('name', '=', name).executeTakeFirst()
  return row?.value ?? null
}

export async function setSetting(tx: Tx, name: string, value: string): Promise<void> {
  await tx.db
    .insertInto('setting')
    .values({ name, value })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
    .execute()
}
