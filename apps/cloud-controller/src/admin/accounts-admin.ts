import { Ajv } from 'ajv'
import type { FastifyInstance } from 'fastify'
import { MalleeError, type Clock } from '@mallee/base'
import type { StateStore } from '@mallee/state-store'
import { recordAdminEvent } from '../store/event-store.ts'
import type { Tables } from '../store/tables.ts'
import type { Wakes } from '../wakes.ts'

const ajv = new Ajv({ strict: true })
const legacyRequest = ajv.compile<{ enabled: boolean }>({
  type: 'object',
  additionalProperties: false,
  required: ['enabled'],
  properties: { enabled: { type: 'boolean' } },
})

/** What the administrator decides for one account. */
export function registerAccountsAdmin(
  app: FastifyInstance,
  deps: { readonly record: StateStore<Tables>; readonly clock: Clock; readonly wakes: Wakes },
): void {
  app.put<{ Params: { id: string } }>('/admin/v1/accounts/:id/legacy-signatures', (request) => {
    const { body } = request
    if (!legacyRequest(body))
      throw new MalleeError({ code: 'BadRequest', publicMessage: ajv.errorsText(legacyRequest.errors) })
    const { id } = request.params
    return deps.record.transaction('action', async (tx) => {
      const changed = await tx.db
        .updateTable('account')
        .set({ legacy_signatures: body.enabled ? 1 : 0 })
        .where('id', '=', id)
        .executeTakeFirst()
      if (changed.numUpdatedRows === 0n)
        throw new MalleeError({ code: 'NotFound', publicMessage: `There is no account ${id.slice(0, 40)}.` })
      const action = body.enabled ? 'AllowLegacySignatures' : 'RefuseLegacySignatures'
      await recordAdminEvent(tx, { nowMs: deps.clock.now(), action, resources: [id] })
      tx.afterCommit(() => deps.wakes.keys())
      return { accountId: id, enabled: body.enabled }
    })
  })
}
