import { once } from 'node:events'
import { connect, type Server } from 'node:net'
import { expect, test } from 'vitest'
import { newUuid } from '@mallee/base'
import { claimName } from './claim-name.ts'

test('a name is held by one until it is given up, and whoever calls it is hung up on', async () => {
  const name = `mallee-test-${newUuid()}`
  const first = (await claimName(name)) as Server
  expect(first.listening).toBe(true)
  expect(await claimName(name)).toBeNull()
  const caller = connect(`\0${name}`)
  await once(caller, 'close')
  first.close()
  await once(first, 'close')
  const second = (await claimName(name)) as Server
  expect(second.listening).toBe(true)
  second.close()
})
