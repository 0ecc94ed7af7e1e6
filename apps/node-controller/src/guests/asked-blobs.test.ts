import { expect, test } from 'vitest'
import { MalleeError, silentLog } from '@mallee/base'
import type { DesiredItem } from '@mallee/agent-contract'
import { AskedBlobs } from './asked-blobs.ts'

const asking = (consoleCount: number, instanceId = 'i-1') =>
  ({ body: { instanceId, consoleCount } }) as DesiredItem<'domain'>

/** What was begun is in `begun`, by instance and count; it ends when its entry of `ends` is called. */
function setUp() {
  const state = { nowMs: 1_000_000, begun: [] as string[] }
  const ends: Array<(error?: Error) => void> = []
  const blobs = new AskedBlobs({
    what: 'console',
    countOf: (body) => body.consoleCount,
    send: (body, count) => {
      state.begun.push(`${body.instanceId}/${count}`)
      return new Promise((resolve, reject) =>
        ends.push((error) => (error ? reject(error) : resolve(undefined))),
      )
    },
    clock: { now: () => state.nowMs },
    log: silentLog,
  })
  const end = async (error?: Error) => {
    ends.shift()!(error)
    await settled()
  }
  const refresh = async (...items: DesiredItem<'domain'>[]) => {
    blobs.refresh(items)
    await settled()
  }
  return { state, blobs, end, refresh }
}

/** All promises that can settle have. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

test('many refreshes during one sending are that one; what was asked meanwhile is sent once after it', async () => {
  const { state, end, refresh } = setUp()
  for (let round = 0; round < 30; round += 1) await refresh(asking(1), asking(1, 'i-2'))
  expect(state.begun).toEqual(['i-1/1', 'i-2/1'])
  await refresh(asking(3), asking(1, 'i-2'))
  await end()
  await end()
  expect(state.begun).toHaveLength(2)
  await refresh(asking(3), asking(1, 'i-2'))
  await end()
  await refresh(asking(3), asking(1, 'i-2'))
  expect(state.begun).toEqual(['i-1/1', 'i-2/1', 'i-1/3'])
})

test('what the cloud refuses for good is not sent again until it asks anew', async () => {
  const { state, end, refresh } = setUp()
  await refresh(asking(1))
  await end(new MalleeError({ code: 'BadRequest', publicMessage: 'too long', retryable: false }))
  state.nowMs += 3_600_000
  await refresh(asking(1))
  expect(state.begun).toEqual(['i-1/1'])
  await refresh(asking(2))
  expect(state.begun).toEqual(['i-1/1', 'i-1/2'])
})

test('a failure is tried again at pauses that grow to a minute, and are short again after a success', async () => {
  const { state, end, refresh } = setUp()
  const away = new MalleeError({ code: 'Http503', publicMessage: 'away', retryable: true })
  await refresh(asking(1))
  for (const pauseMs of [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
    const before = state.begun.length
    await end(before % 2 === 0 ? away : new Error('refused'))
    state.nowMs += pauseMs - 1
    await refresh(asking(1))
    expect(state.begun).toHaveLength(before)
    state.nowMs += 1
    await refresh(asking(1))
    expect(state.begun).toHaveLength(before + 1)
  }
  await end()
  await refresh(asking(2))
  await end(away)
  state.nowMs += 2_000
  await refresh(asking(2))
  expect(state.begun.slice(-2)).toEqual(['i-1/2', 'i-1/2'])
})

test('last words are sent behind what is under way, whatever was sent or failed before', async () => {
  const { state, blobs, end, refresh } = setUp()
  await refresh(asking(1))
  const words = blobs.push(asking(1))
  await refresh(asking(1))
  expect(state.begun).toHaveLength(1)
  await end(new Error('away'))
  expect(state.begun).toHaveLength(2)
  await end()
  await words
  const more = blobs.push(asking(1))
  await settled()
  await end()
  await more
  expect(state.begun).toEqual(['i-1/1', 'i-1/1', 'i-1/1'])
})

test('an instance that is gone is forgotten', async () => {
  const { state, end, refresh } = setUp()
  await refresh(asking(1))
  await end()
  await refresh()
  await refresh(asking(1))
  expect(state.begun).toEqual(['i-1/1', 'i-1/1'])
})
