import { Ajv } from 'ajv'
import type { FastifyInstance } from 'fastify'
import { MalleeError } from '@mallee/base'
import { decodeMessage, type AuthorizationMessage } from '../authorization/authorization-message.ts'
import type { Keyring } from '../identity/keyring.ts'
import type { StateStore } from '@mallee/state-store'
import { managedDocuments } from '../store/principal-store.ts'
import type { Reader } from '../store/record.ts'
import type { Tables } from '../store/tables.ts'

/** What a refusal said, and the statement that decided, as it stands today. */
export interface ExplainedRefusal {
  readonly message: AuthorizationMessage
  /** JSON of the statement; null where nothing denied, or the policy is gone or another. */
  readonly statement: string | null
}

const asked = new Ajv({ strict: true }).compile<{ message: string }>({
  type: 'object',
  additionalProperties: false,
  required: ['message'],
  properties: { message: { type: 'string', maxLength: 65_536 } },
})

/** Any account's refusals, for the administrator; an account reads its own by DecodeAuthorizationMessage. */
export function registerExplainRefusal(
  app: FastifyInstance,
  deps: { readonly record: StateStore<Tables>; readonly keyring: Keyring },
): void {
  app.post('/admin/v1/authorization-messages', async (request): Promise<ExplainedRefusal> => {
    const { body } = request
    if (!asked(body)) throw new MalleeError({ code: 'BadRequest', publicMessage: 'There is no message.' })
    const message = decodeMessage(deps.keyring, body.message)
    if (!message)
      throw new MalleeError({
        code: 'NotFound',
        publicMessage: 'This is no message of a refusal of this cloud.',
      })
    return { message, statement: await deps.record.read((db) => statementOf(db, message)) }
  })
}

async function statementOf(db: Reader, message: AuthorizationMessage): Promise<string | null> {
  const [decided] = message.matchedStatements.items
  const accountId = message.context.principal.arn.split(':')[4] ?? ''
  if (!decided?.sourcePolicyId.startsWith('arn:')) return null
  const document = (await managedDocuments(db, accountId, [decided.sourcePolicyId])).get(
    decided.sourcePolicyId,
  )
  if (document === undefined) return null
  const statements = [(JSON.parse(document) as { Statement: object | object[] }).Statement].flat()
  const found = statements[decided.statementIndex]
  return found === undefined ? null : JSON.stringify(found)
}
