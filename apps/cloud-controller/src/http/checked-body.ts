import { Ajv } from 'ajv'
import { MalleeError } from '@mallee/base'

const messages = new Ajv({ strict: true })

/** A body that fits the contract, or the error that says where it does not. */
export function checkedBody<T>(check: { (value: unknown): value is T; errors?: unknown }, value: unknown): T {
  if (check(value)) return value
  throw new MalleeError({
    code: 'BadRequest',
    publicMessage: `The request does not fit the contract: ${messages.errorsText(check.errors as never)}`,
  })
}
