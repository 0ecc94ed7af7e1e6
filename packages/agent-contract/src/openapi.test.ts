import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { agentOpenApi } from './openapi.ts'

test('openapi.json is the contract as the code has it', () => {
  const checkedIn = JSON.parse(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8')) as unknown
  expect(checkedIn).toEqual(JSON.parse(JSON.stringify(agentOpenApi())))
})
