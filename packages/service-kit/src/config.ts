import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { MalleeError } from '@mallee/base'

/** Compiles the schema once and refuses unknown members: a misspelt setting is an error and not a silence. */
export function parseConfig<T>(schema: object, value: unknown, where: string): T {
  const ajv = new Ajv({ allErrors: true, useDefaults: true, strict: true })
  const validate = ajv.compile<T>(schema)
  if (validate(value)) return value
  const problems = (validate.errors ?? []).map((error) => {
    const name = (error.params as { additionalProperty?: string }).additionalProperty
    return `${error.instancePath || '/'} ${error.message}${name ? ` (${name})` : ''}`
  })
  throw new MalleeError({ code: 'BadConfiguration', publicMessage: `${where}: ${problems.join('; ')}` })
}

/** Reads a JSON file of configuration. */
export function readConfig<T>(schema: object, file: string): T {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new MalleeError({
      code: 'BadConfiguration',
      publicMessage: `${file} cannot be read as JSON`,
      cause: error,
    })
  }
  return parseConfig(schema, value, file)
}
