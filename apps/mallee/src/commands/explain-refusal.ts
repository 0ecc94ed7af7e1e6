import { adminCall } from '../admin-client.ts'
import { print } from './command.ts'

interface Explained {
  readonly message: {
    readonly explicitDeny: boolean
    readonly matchedStatements: {
      readonly items: readonly {
        readonly statementId: string
        readonly sourcePolicyId: string
        readonly sourcePolicyType: string
        readonly statementIndex: number
      }[]
    }
    readonly failures: { readonly items: readonly { readonly detail: string }[] }
    readonly context: {
      readonly principal: { readonly id: string; readonly arn: string }
      readonly action: string
      readonly resource: string
      readonly conditions: {
        readonly items: readonly {
          readonly key: string
          readonly values: { readonly items: readonly { readonly value: string }[] }
        }[]
      }
    }
  }
  readonly statement: string | null
}

/** What an "Encoded authorization failure message" holds: who was refused what, and by which statement. */
export async function explainRefusal(socket: string, message: string, asJson: boolean): Promise<void> {
  const answer = await adminCall<Explained>(socket, 'POST', '/admin/v1/authorization-messages', { message })
  if (asJson) return print(JSON.stringify(answer))
  const { context, matchedStatements, failures } = answer.message
  print(
    `${context.principal.arn} (${context.principal.id}) was refused ${context.action} on ${context.resource}`,
  )
  for (const { sourcePolicyId, sourcePolicyType, statementId, statementIndex } of matchedStatements.items) {
    const name = statementId === '' ? '' : ` (${statementId})`
    print(
      `denied by statement ${statementIndex + 1}${name} of ${sourcePolicyId}, its ${sourcePolicyType} policy`,
    )
  }
  if (answer.statement !== null) print(`  ${answer.statement}`)
  for (const { detail } of failures.items) print(detail)
  for (const { key, values } of context.conditions.items)
    print(`  ${key} = ${values.items.map(({ value }) => value).join(', ')}`)
}
