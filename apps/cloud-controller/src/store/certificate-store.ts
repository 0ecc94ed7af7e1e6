import type { Reader, Tx } from './record.ts'
import type { AccountTable, SigningCertificateTable, UserTable } from './tables.ts'

export interface CertificateOwner {
  readonly certificate: SigningCertificateTable
  readonly user: UserTable
  readonly account: AccountTable
}

/** Whose certificate this is, by the SHA-256 of its DER. */
export async function findCertificateOwner(db: Reader, digest: string): Promise<CertificateOwner | null> {
  const certificate = await db
    .selectFrom('signing_certificate')
    .selectAll()
    .where('digest', '=', digest)
    .executeTakeFirst()
  if (!certificate) return null
  const user = await db
    .selectFrom('user')
    .selectAll()
    .where('id', '=', certificate.user_id)
    .executeTakeFirstOrThrow()
  const account = await db
    .selectFrom('account')
    .selectAll()
    .where('id', '=', certificate.account_id)
    .executeTakeFirstOrThrow()
  return { certificate, user, account }
}

/** A user's certificates, oldest first. */
export function certificatesOf(db: Reader, userId: string): Promise<SigningCertificateTable[]> {
  return db
    .selectFrom('signing_certificate')
    .selectAll()
    .where('user_id', '=', userId)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
}

/** A message that is refused for its age is remembered a little longer, for requests under way and clocks set back. */
const keptAfterExpiryMs = 15 * 60 * 1000

/** False where the message was taken before. The row stays for as long as the message could be taken again. */
export async function takeMessage(
  tx: Tx,
  message: { digest: string; expiresAtMs: number; nowMs: number },
): Promise<boolean> {
  const longGoneMs = message.nowMs - keptAfterExpiryMs
  await tx.db.deleteFrom('soap_message').where('expires_at', '<', longGoneMs).execute()
  const inserted = await tx.db
    .insertInto('soap_message')
    .values({ digest: message.digest, expires_at: message.expiresAtMs })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return (inserted.numInsertedOrUpdatedRows ?? 0n) > 0n
}
