import { Ajv } from 'ajv'
import type { FastifyInstance } from 'fastify'
import { MalleeError, must } from '@mallee/base'
import { unwrapKey } from '@mallee/image-bundle'
import type { StateStore } from '@mallee/state-store'
import type { Keyring } from '../identity/keyring.ts'
import { openBundlingKey, readBundlingKey } from '../store/bundling-key-store.ts'
import { canonicalImageId } from '../store/image-store.ts'
import type { Tables } from '../store/tables.ts'

const hex = { type: 'string', pattern: '^[0-9a-fA-F]+$', maxLength: 2048 }
const wrapped = new Ajv({ strict: true }).compile<{ key: string; iv: string }>({
  type: 'object',
  additionalProperties: false,
  required: ['key', 'iv'],
  properties: { key: hex, iv: hex },
})

/** Where an image's bytes lie, for its download; `sha256` and what follows are null until they are known. */
export interface ImagePlace {
  readonly imageId: string
  readonly accountId: string
  readonly state: string
  readonly bucket: string
  readonly key: string
  readonly format: string | null
  readonly sizeBytes: number | null
  readonly sha256: string | null
}

/**
 * Bundles for people without bundle tools: the certificate that they are encrypted for, and the key of one bundle,
 * opened. The cloud's private key itself never leaves.
 */
export function registerBundlingAdmin(
  app: FastifyInstance,
  deps: { readonly record: StateStore<Tables>; readonly keyring: Keyring },
): void {
  const { record, keyring } = deps
  app.get('/admin/v1/bundling', async () => {
    const { certificate } = must(await record.read(readBundlingKey), 'the key for bundles')
    return { certificate }
  })
  app.post('/admin/v1/bundling/unwrap', async ({ body }) => {
    if (!wrapped(body))
      throw new MalleeError({ code: 'BadRequest', publicMessage: 'key and iv are asked for.' })
    const { sealed_key } = must(await record.read(readBundlingKey), 'the key for bundles')
    const { key, iv } = unwrapKey(body, openBundlingKey(keyring, sealed_key))
    return { key: key.toString('hex'), iv: iv.toString('hex') }
  })
  app.get<{ Params: { id: string } }>('/admin/v1/images/:id', async ({ params }): Promise<ImagePlace> => {
    const id = canonicalImageId(params.id)
    const image = await record.read((db) =>
      db.selectFrom('image').selectAll().where('id', '=', id).executeTakeFirst(),
    )
    if (!image || image.state === 'deregistered')
      throw new MalleeError({
        code: 'NoImage',
        publicMessage: `There is no image ${params.id.slice(0, 40)}.`,
      })
    return {
      ...{ imageId: id, accountId: image.account_id, state: image.state, bucket: image.bucket },
      ...{ key: image.object_key, format: image.format, sizeBytes: image.size_bytes, sha256: image.sha256 },
    }
  })
}
