/** Virtual MFA devices. https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateVirtualMFADevice.html */
import { newToken } from '@mallee/base'
import {
  deleteConflict,
  entityAlreadyExists,
  invalidAuthenticationCode,
  limitExceeded,
  noSuchEntity,
  type Iam,
  type IamInput,
  type IamOutput,
} from '@mallee/iam-api'
import { iamQuotas } from '../../identity/iam-quotas.ts'
import { qrCodePng } from '../../identity/qr-code.ts'
import { stepOfPair, toBase32 } from '../../identity/totp.ts'
import { putTags, removeTags } from '../../store/identity/identity-tag-store.ts'
import { devicesOf, mfaDeviceNamed, openSeed, serialNumberOf } from '../../store/identity/mfa-store.ts'
import type { MfaDeviceTable, UserTable } from '../../store/identity-tables.ts'
import type { Reader } from '../../store/record.ts'
import { isNameTaken, shownName, userOrRoot } from '../../store/user-store.ts'
import { rootView, userView } from '../../views/identity-views.ts'
import type { ActionContext } from '../define-action.ts'
import { changed, markerPage, type IamActions } from './iam-action.ts'

/** As AWS's, which are 64 letters and digits. */
const seedBytes = 40

function create(
  ctx: ActionContext,
  input: IamInput<'CreateVirtualMFADevice'>,
): Promise<IamOutput<'CreateVirtualMFADevice'>> {
  const seed = Buffer.from(ctx.random.bytes(seedBytes))
  const secret = toBase32(seed)
  const { accountId, accountName } = ctx.caller
  const name = input.VirtualMFADeviceName
  const label = encodeURIComponent(`${name}@${accountName}`)
  const picture = qrCodePng(`otpauth://totp/${label}?secret=${secret}&issuer=Mallee`)
  return ctx.transaction(async (tx) => {
    if (await isNameTaken(tx.db, 'iam_mfa_device', accountId, name))
      throw entityAlreadyExists('MFADevice entity at the same path and name already exists.')
    const id = newToken('AMFA', 17, ctx.random)
    const row: MfaDeviceTable = {
      id,
      account_id: accountId,
      name,
      path: input.Path ?? '/',
      sealed_seed: ctx.keyring.seal(seed.toString('base64'), id),
      user_id: null,
      used_step: 0,
      enabled_at: null,
      created_at: ctx.nowMs,
    }
    await tx.db.insertInto('iam_mfa_device').values(row).execute()
    await putTags(tx, id, input.Tags, 'MFADevice')
    tx.touch(id)
    return {
      VirtualMFADevice: {
        SerialNumber: serialNumberOf(row),
        Base32StringSeed: Buffer.from(secret),
        QRCodePNG: picture,
        Tags: input.Tags ?? [],
      },
    }
  })
}

/** Two codes that the device showed one after the other, newer than any that was taken. */
function checkPair(
  ctx: ActionContext,
  row: MfaDeviceTable,
  input: { readonly AuthenticationCode1: string; readonly AuthenticationCode2: string },
): number {
  const codes = [input.AuthenticationCode1, input.AuthenticationCode2] as const
  const step = stepOfPair(openSeed(ctx.keyring, row), codes, ctx.nowMs, row.used_step)
  if (step === null) throw invalidAuthenticationCode('Authentication code for device is not valid.')
  return step
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_EnableMFADevice.html */
async function enable(ctx: ActionContext, input: IamInput<'EnableMFADevice'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const user = await userOrRoot(tx.db, ctx.caller, input.UserName)
    const row = await mfaDeviceNamed(tx.db, ctx.caller.accountId, input.SerialNumber)
    if (row.user_id !== null) throw entityAlreadyExists('MFA Device is already in use.')
    const most = iamQuotas.mfaDevicesPerUser
    if ((await devicesOf(tx.db, user.id)).length >= most)
      throw limitExceeded(`Cannot exceed quota for MFADevicesPerUser: ${most}`)
    await tx.db
      .updateTable('iam_mfa_device')
      .set({ user_id: user.id, enabled_at: ctx.nowMs, used_step: checkPair(ctx, row, input) })
      .where('id', '=', row.id)
      .execute()
    changed(ctx, tx, row.id, user.id)
  })
}

async function deviceOfUser(
  ctx: ActionContext,
  db: Reader,
  input: { readonly SerialNumber: string; readonly UserName?: string | undefined },
): Promise<{ user: UserTable; row: MfaDeviceTable }> {
  const user = await userOrRoot(db, ctx.caller, input.UserName)
  const row = await mfaDeviceNamed(db, ctx.caller.accountId, input.SerialNumber)
  if (row.user_id !== user.id) throw noSuchEntity(`MFA Device invalid for user.`)
  return { user, row }
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeactivateMFADevice.html */
async function deactivate(ctx: ActionContext, input: IamInput<'DeactivateMFADevice'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const { user, row } = await deviceOfUser(ctx, tx.db, input)
    await tx.db
      .updateTable('iam_mfa_device')
      .set({ user_id: null, enabled_at: null })
      .where('id', '=', row.id)
      .execute()
    changed(ctx, tx, row.id, user.id)
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ResyncMFADevice.html */
async function resync(ctx: ActionContext, input: IamInput<'ResyncMFADevice'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const { row } = await deviceOfUser(ctx, tx.db, input)
    await tx.db
      .updateTable('iam_mfa_device')
      .set({ used_step: checkPair(ctx, row, input) })
      .where('id', '=', row.id)
      .execute()
    tx.touch(row.id)
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteVirtualMFADevice.html */
async function remove(ctx: ActionContext, input: IamInput<'DeleteVirtualMFADevice'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const row = await mfaDeviceNamed(tx.db, ctx.caller.accountId, input.SerialNumber)
    if (row.user_id !== null) throw deleteConflict('MFA VirtualDevice in use. Must deactivate first.')
    await removeTags(tx, row.id, null)
    await tx.db.deleteFrom('iam_mfa_device').where('id', '=', row.id).execute()
    tx.touch(row.id)
  })
}

const enabled = (row: MfaDeviceTable) =>
  row.enabled_at === null ? {} : { EnableDate: new Date(row.enabled_at) }

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListVirtualMFADevices.html */
function listVirtual(
  ctx: ActionContext,
  input: IamInput<'ListVirtualMFADevices'>,
): Promise<IamOutput<'ListVirtualMFADevices'>> {
  return ctx.read(async (db) => {
    const { accountId } = ctx.caller
    const rows = await db
      .selectFrom('iam_mfa_device')
      .selectAll()
      .where('account_id', '=', accountId)
      .execute()
    const users = await db.selectFrom('user').selectAll().where('account_id', '=', accountId).execute()
    const { AssignmentStatus: status = 'Any' } = input
    const chosen = rows.filter(
      (row) => status === 'Any' || (status === 'Assigned') === (row.user_id !== null),
    )
    const { items, rest } = markerPage(ctx, chosen, input, (row) => row.name)
    const devices = items.map((row): Iam.VirtualMFADevice => {
      const user = users.find(({ id }) => id === row.user_id)
      const owner = user && (user.is_root === 1 ? rootView(user, undefined) : userView(user))
      return { SerialNumber: serialNumberOf(row), ...enabled(row), ...(owner ? { User: owner } : {}) }
    })
    return { VirtualMFADevices: devices, ...rest }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListMFADevices.html */
function list(ctx: ActionContext, input: IamInput<'ListMFADevices'>): Promise<IamOutput<'ListMFADevices'>> {
  return ctx.read(async (db) => {
    const user = await userOrRoot(db, ctx.caller, input.UserName)
    const { items, rest } = markerPage(ctx, await devicesOf(db, user.id), input, (row) => row.name)
    const devices = items.map((row) => ({
      UserName: shownName(user),
      SerialNumber: serialNumberOf(row),
      EnableDate: new Date(row.enabled_at ?? row.created_at),
    }))
    return { MFADevices: devices, ...rest }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetMFADevice.html */
function get(ctx: ActionContext, input: IamInput<'GetMFADevice'>): Promise<IamOutput<'GetMFADevice'>> {
  return ctx.read(async (db) => {
    const { user, row } = await deviceOfUser(ctx, db, input)
    return { UserName: shownName(user), SerialNumber: input.SerialNumber, ...enabled(row) }
  })
}

export const mfaDeviceActions = {
  CreateVirtualMFADevice: create,
  EnableMFADevice: enable,
  DeactivateMFADevice: deactivate,
  ResyncMFADevice: resync,
  DeleteVirtualMFADevice: remove,
  ListVirtualMFADevices: listVirtual,
  ListMFADevices: list,
  GetMFADevice: get,
} satisfies IamActions
