/** Certificates with their keys, for services that speak TLS. https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadServerCertificate.html */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { newToken } from '@mallee/base'
import {
  entityAlreadyExists,
  keyPairMismatch,
  malformedCertificate,
  noSuchEntity,
  type Iam,
  type IamInput,
  type IamOutput,
} from '@mallee/iam-api'
import { iamArn } from '../../identity/arns.ts'
import { requireRoom } from '../../store/identity/account-quotas.ts'
import { putTags, removeTags, tagsOf } from '../../store/identity/identity-tag-store.ts'
import type { ServerCertificateTable } from '../../store/identity-tables.ts'
import type { Reader } from '../../store/record.ts'
import { isNameTaken } from '../../store/user-store.ts'
import type { ActionContext } from '../define-action.ts'
import { changed, markerPage, type IamActions } from './iam-action.ts'

const mostInChain = 10
const pemBlock = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g

export async function serverCertificateNamed(
  db: Reader,
  accountId: string,
  name: string,
): Promise<ServerCertificateTable> {
  const row = await db
    .selectFrom('iam_server_certificate')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('name', '=', name)
    .executeTakeFirst()
  if (!row) throw noSuchEntity(`The Server Certificate with name ${name} cannot be found.`)
  return row
}

/** The certificates of a text that holds nothing but certificates. */
function certificatesIn(text: string): X509Certificate[] | null {
  const blocks = text.match(pemBlock) ?? []
  if (blocks.length === 0 || text.replaceAll(pemBlock, '').trim() !== '') return null
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    return null
  }
}

function privateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    throw malformedCertificate('The private key must be one in PEM that no passphrase encrypts.')
  }
}

function checked(ctx: ActionContext, input: IamInput<'UploadServerCertificate'>): X509Certificate {
  const [certificate, ...more] = certificatesIn(input.CertificateBody) ?? []
  if (!certificate || more.length > 0)
    throw malformedCertificate('The certificate body must be one X.509 certificate in PEM.')
  if (input.CertificateChain !== undefined) {
    const chain = certificatesIn(input.CertificateChain)
    if (!chain || chain.length > mostInChain)
      throw malformedCertificate('The certificate chain must be X.509 certificates in PEM, ten at most.')
  }
  if (Date.parse(certificate.validFrom) > ctx.nowMs || Date.parse(certificate.validTo) < ctx.nowMs)
    throw malformedCertificate('The certificate is not valid at this time.')
  if (!certificate.checkPrivateKey(privateKey(input.PrivateKey)))
    throw keyPairMismatch('The private key is not that of the certificate.')
  return certificate
}

async function refuseTaken(db: Reader, accountId: string, name: string): Promise<void> {
  if (await isNameTaken(db, 'iam_server_certificate', accountId, name))
    throw entityAlreadyExists(`The Server Certificate with name ${name} already exists.`)
}

function upload(
  ctx: ActionContext,
  input: IamInput<'UploadServerCertificate'>,
): Promise<IamOutput<'UploadServerCertificate'>> {
  const certificate = checked(ctx, input)
  return ctx.transaction(async (tx) => {
    const { accountId } = ctx.caller
    const name = input.ServerCertificateName
    await refuseTaken(tx.db, accountId, name)
    await requireRoom(tx.db, accountId, 'iam_server_certificate')
    const id = newToken('ASCA', 17, ctx.random)
    const row: ServerCertificateTable = {
      id,
      account_id: accountId,
      name,
      path: input.Path ?? '/',
      body: input.CertificateBody.trim(),
      chain: input.CertificateChain?.trim() ?? null,
      sealed_key: ctx.keyring.seal(input.PrivateKey, id),
      expires_at: Date.parse(certificate.validTo),
      uploaded_at: ctx.nowMs,
    }
    await tx.db.insertInto('iam_server_certificate').values(row).execute()
    await putTags(tx, id, input.Tags, 'ServerCertificate')
    changed(ctx, tx, id)
    return { ServerCertificateMetadata: metadata(row), Tags: input.Tags ?? [] }
  })
}

const metadata = (row: ServerCertificateTable): Iam.ServerCertificateMetadata => ({
  Path: row.path,
  ServerCertificateName: row.name,
  ServerCertificateId: row.id,
  Arn: iamArn('server-certificate', row),
  UploadDate: new Date(row.uploaded_at),
  Expiration: new Date(row.expires_at),
})

/** The key is never answered. */
function get(
  ctx: ActionContext,
  input: IamInput<'GetServerCertificate'>,
): Promise<IamOutput<'GetServerCertificate'>> {
  return ctx.read(async (db) => {
    const row = await serverCertificateNamed(db, ctx.caller.accountId, input.ServerCertificateName)
    return {
      ServerCertificate: {
        ServerCertificateMetadata: metadata(row),
        CertificateBody: row.body,
        ...(row.chain === null ? {} : { CertificateChain: row.chain }),
        Tags: await tagsOf(db, row.id),
      },
    }
  })
}

function list(
  ctx: ActionContext,
  input: IamInput<'ListServerCertificates'>,
): Promise<IamOutput<'ListServerCertificates'>> {
  return ctx.read(async (db) => {
    const rows = await db
      .selectFrom('iam_server_certificate')
      .selectAll()
      .where('account_id', '=', ctx.caller.accountId)
      .execute()
    const inPath = rows.filter((row) => row.path.startsWith(input.PathPrefix ?? '/'))
    const { items, rest } = markerPage(ctx, inPath, input, (row) => row.name)
    return { ServerCertificateMetadataList: items.map(metadata), ...rest }
  })
}

async function update(ctx: ActionContext, input: IamInput<'UpdateServerCertificate'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const row = await serverCertificateNamed(tx.db, ctx.caller.accountId, input.ServerCertificateName)
    const name = input.NewServerCertificateName ?? row.name
    if (name.toLowerCase() !== row.name.toLowerCase()) await refuseTaken(tx.db, row.account_id, name)
    const path = input.NewPath ?? row.path
    await tx.db.updateTable('iam_server_certificate').set({ name, path }).where('id', '=', row.id).execute()
    changed(ctx, tx, row.id)
  })
}

async function remove(ctx: ActionContext, input: IamInput<'DeleteServerCertificate'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const row = await serverCertificateNamed(tx.db, ctx.caller.accountId, input.ServerCertificateName)
    await removeTags(tx, row.id, null)
    await tx.db.deleteFrom('iam_server_certificate').where('id', '=', row.id).execute()
    changed(ctx, tx, row.id)
  })
}

export const serverCertificateActions = {
  UploadServerCertificate: upload,
  GetServerCertificate: get,
  ListServerCertificates: list,
  UpdateServerCertificate: update,
  DeleteServerCertificate: remove,
} satisfies IamActions
