import { newToken } from '@mallee/base'
import {
  duplicateCertificate,
  invalidCertificate,
  limitExceeded,
  malformedCertificate,
  noSuchEntity,
  validationError,
  type CreateSigningCertificateRequest,
  type CreateSigningCertificateResponse,
  type IamInput,
  type IamOutput,
} from '@mallee/iam-api'
import { createSigningCertificate as createKeyAndCertificate, readSigningCertificate } from '@mallee/pki'
import { iamQuotas } from '../../identity/iam-quotas.ts'
import { certificatesOf } from '../../store/certificate-store.ts'
import type { Reader } from '../../store/record.ts'
import type { SigningCertificateTable, UserTable } from '../../store/tables.ts'
import { shownName, userOrRoot } from '../../store/user-store.ts'
import type { ActionContext, ActionTransaction } from '../define-action.ts'

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadSigningCertificate.html */
export async function uploadSigningCertificate(
  ctx: ActionContext,
  input: IamInput<'UploadSigningCertificate'>,
): Promise<IamOutput<'UploadSigningCertificate'>> {
  const certificate = readSigningCertificate(input.CertificateBody)
  if (!certificate)
    throw malformedCertificate(
      'The certificate must be one X.509 certificate in PEM with an RSA key of 2048 to 8192 bits.',
    )
  if (certificate.notAfterMs < ctx.nowMs || certificate.notBeforeMs > ctx.nowMs)
    throw invalidCertificate('The certificate is not valid at this time.')
  return ctx.transaction(async (tx) => {
    const user = await userOrRoot(tx.db, ctx.caller, input.UserName)
    return { Certificate: shown(user, await insert(ctx, tx, user, certificate)) }
  })
}

/** Eucalyptus' own: the key is answered and kept nowhere. */
export async function createSigningCertificate(
  ctx: ActionContext,
  input: CreateSigningCertificateRequest,
): Promise<CreateSigningCertificateResponse> {
  // Before a key is made, which takes a while; the transaction looks again.
  const named = await ctx.read(async (db) => {
    const user = await userOrRoot(db, ctx.caller, input.UserName)
    refuseThird((await certificatesOf(db, user.id)).length)
    return user
  })
  const made = await createKeyAndCertificate(`${shownName(named)}.${ctx.caller.accountId}`, ctx.nowMs)
  return ctx.transaction(async (tx) => {
    const user = await userOrRoot(tx.db, ctx.caller, input.UserName)
    const row = await insert(ctx, tx, user, readSigningCertificate(made.certificate)!)
    return {
      Certificate: {
        UserName: shownName(user),
        CertificateId: row.id,
        CertificateBody: row.certificate,
        PrivateKey: made.key,
        Status: 'Active',
        UploadDate: new Date(row.created_at),
      },
    }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListSigningCertificates.html */
export function listSigningCertificates(
  ctx: ActionContext,
  input: IamInput<'ListSigningCertificates'>,
): Promise<IamOutput<'ListSigningCertificates'>> {
  return ctx.read(async (db) => {
    const user = await userOrRoot(db, ctx.caller, input.UserName)
    const rows = await certificatesOf(db, user.id)
    const after = input.Marker === undefined ? -1 : rows.findIndex((row) => row.id === input.Marker)
    if (input.Marker !== undefined && after < 0)
      throw validationError('The Marker is not one that was given out.')
    const page = rows.slice(after + 1, after + 1 + (input.MaxItems ?? 100))
    const more = after + 1 + page.length < rows.length
    return {
      Certificates: page.map((row) => shown(user, row)),
      IsTruncated: more,
      ...(more ? { Marker: page.at(-1)!.id } : {}),
    }
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateSigningCertificate.html */
export async function updateSigningCertificate(
  ctx: ActionContext,
  input: IamInput<'UpdateSigningCertificate'>,
): Promise<void> {
  if (input.Status !== 'Active' && input.Status !== 'Inactive')
    throw validationError('The Status must be Active or Inactive.')
  await ctx.transaction(async (tx) => {
    const row = await certificateNamed(ctx, tx.db, input)
    await tx.db
      .updateTable('signing_certificate')
      .set({ enabled: input.Status === 'Active' ? 1 : 0 })
      .where('id', '=', row.id)
      .execute()
    tx.touch(row.id)
  })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteSigningCertificate.html */
export async function deleteSigningCertificate(
  ctx: ActionContext,
  input: IamInput<'DeleteSigningCertificate'>,
): Promise<void> {
  await ctx.transaction(async (tx) => {
    const row = await certificateNamed(ctx, tx.db, input)
    await tx.db.deleteFrom('signing_certificate').where('id', '=', row.id).execute()
    tx.touch(row.id)
  })
}

function refuseThird(present: number): void {
  if (present >= iamQuotas.signingCertificatesPerUser)
    throw limitExceeded(
      `Cannot exceed quota for SigningCertificatesPerUser: ${iamQuotas.signingCertificatesPerUser}`,
    )
}

async function insert(
  ctx: ActionContext,
  tx: ActionTransaction,
  user: UserTable,
  certificate: { readonly digest: string; readonly pem: string },
): Promise<SigningCertificateTable> {
  const taken = await tx.db
    .selectFrom('signing_certificate')
    .select('id')
    .where('digest', '=', certificate.digest)
    .executeTakeFirst()
  // In the whole cloud, not only in the account: a message is its certificate's owner's, so there can be one only.
  if (taken) throw duplicateCertificate('The certificate is already associated with a user.')
  refuseThird((await certificatesOf(tx.db, user.id)).length)
  const row: SigningCertificateTable = {
    id: newToken('', 32, ctx.random),
    account_id: user.account_id,
    user_id: user.id,
    digest: certificate.digest,
    certificate: certificate.pem,
    enabled: 1,
    created_at: ctx.nowMs,
  }
  await tx.db.insertInto('signing_certificate').values(row).execute()
  tx.touch(row.id)
  return row
}

async function certificateNamed(
  ctx: ActionContext,
  db: Reader,
  input: { readonly CertificateId: string; readonly UserName?: string | undefined },
): Promise<SigningCertificateTable> {
  const user = await userOrRoot(db, ctx.caller, input.UserName)
  const row = (await certificatesOf(db, user.id)).find(({ id }) => id === input.CertificateId)
  if (!row) throw noSuchEntity(`The Certificate with id ${input.CertificateId} cannot be found.`)
  return row
}

function shown(user: UserTable, row: SigningCertificateTable) {
  return {
    UserName: shownName(user),
    CertificateId: row.id,
    CertificateBody: row.certificate,
    Status: row.enabled === 1 ? ('Active' as const) : ('Inactive' as const),
    UploadDate: new Date(row.created_at),
  }
}
