/** Virtual MFA devices: by their serial numbers, which are their ARNs. */
import { noSuchEntity } from '@mallee/iam-api'
import { iamArn, parseIamArn } from '../../identity/arns.ts'
import type { Keyring } from '../../identity/keyring.ts'
import { stepOfCode } from '../../identity/totp.ts'
import type { MfaDeviceTable } from '../identity-tables.ts'
import type { Reader, Tx } from '../record.ts'

export const serialNumberOf = (row: MfaDeviceTable): string => iamArn('mfa', row)

export async function findMfaDevice(
  db: Reader,
  accountId: string,
  serialNumber: string,
): Promise<MfaDeviceTable | null> {
  const parsed = parseIamArn(serialNumber)
  if (parsed?.type !== 'mfa' || parsed.accountId !== accountId) return null
  const row = await db
    .selectFrom('iam_mfa_device')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('name', '=', parsed.name)
    .executeTakeFirst()
  return row?.path === parsed.path ? row : null
}

export async function mfaDeviceNamed(
  db: Reader,
  accountId: string,
  serialNumber: string,
): Promise<MfaDeviceTable> {
  const row = await findMfaDevice(db, accountId, serialNumber)
  if (!row) throw noSuchEntity(`VirtualMFADevice with serial number ${serialNumber} does not exist.`)
  return row
}

export function devicesOf(db: Reader, userId: string): Promise<MfaDeviceTable[]> {
  return db.selectFrom('iam_mfa_device').selectAll().where('user_id', '=', userId).execute()
}

export const openSeed = (keyring: Keyring, row: MfaDeviceTable): Buffer =>
  Buffer.from(keyring.open(row.sealed_seed, row.id), 'base64')

/** Whether this is a code of a device of that user, which none of the same or a later time was taken of: it is taken once. */
export async function takeMfaCode(
  tx: Tx,
  keyring: Keyring,
  asked: {
    readonly accountId: string
    readonly userId: string
    readonly serialNumber: string
    readonly code: string
    readonly nowMs: number
  },
): Promise<boolean> {
  const device = await findMfaDevice(tx.db, asked.accountId, asked.serialNumber)
  if (device?.user_id !== asked.userId || device.enabled_at === null) return false
  const step = stepOfCode(openSeed(keyring, device), asked.code, asked.nowMs, device.used_step)
  if (step === null) return false
  await tx.db.updateTable('iam_mfa_device').set({ used_step: step }).where('id', '=', device.id).execute()
  return true
}
