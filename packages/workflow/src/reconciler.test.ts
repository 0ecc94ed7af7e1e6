import { expect, test } from 'vitest'
import { silentLog, type Clock } from '@mallee/base'
import { ReconcilerQueue, type PassResult } from './reconciler.ts'

/** A clock whose timers fire when the test says. */
function handClock() {
  const timers: { at: number; callback: () => void; live: boolean }[] = []
  let nowMs = 0
  const clock: Clock = {
    now: () => nowMs,
    after(delayMs, callback) {
      const timer = { at: nowMs + delayMs, callback, live: true }
      timers.push(timer)
      return () => (timer.live = false)
    },
    sleep: () => Promise.resolve(),
  }
  return {
    clock,
    pass(ms: number) {
      nowMs += ms
      for (const timer of timers.filter((entry) => entry.live && entry.at <= nowMs)) {
        timer.live = false
        timer.callback()
      }
    },
  }
}

function queueOf(reconcile: (name: string) => Promise<PassResult>, names: string[] = []) {
  const hand = handClock()
  const queue = new ReconcilerQueue({
    reconciler: { name: 'test', everyMs: 60_000, list: () => Promise.resolve(names), reconcile },
    clock: hand.clock,
    log: silentLog,
  })
  return { queue, hand }
}

test('a start scans, a wake passes once however often it is repeated', async () => {
  const passed: string[] = []
  const { queue } = queueOf(
    async (name) => {
      passed.push(name)
      return { settled: true }
    },
    ['a', 'b'],
  )
  queue.start()
  queue.wake('b')
  queue.wake('b')
  await queue.idle()
  expect(passed.toSorted()).toEqual(['a', 'b'])
})

test('a failure is tried again later and later, and success forgets it', async () => {
  let failures = 2
  let passes = 0
  const { queue, hand } = queueOf(async () => {
    passes += 1
    if (failures-- > 0) throw new Error('no')
    return { settled: true }
  })
  queue.start()
  queue.wake('a')
  await queue.idle()
  expect(passes).toBe(1)
  hand.pass(99)
  await queue.idle()
  expect(passes).toBe(1)
  hand.pass(1)
  await queue.idle()
  expect(passes).toBe(2)
  hand.pass(200)
  await queue.idle()
  expect([passes, queue.status().errors, queue.status().queued]).toEqual([3, 2, 0])
})

test('a pass that asks for another gets it, and a wake before it counts for it', async () => {
  let passes = 0
  const { queue, hand } = queueOf(async () => {
    passes += 1
    return passes < 3 ? { settled: false, againMs: 1000 } : { settled: true }
  })
  queue.start()
  queue.wake('a')
  await queue.idle()
  queue.wake('a')
  await queue.idle()
  hand.pass(1000)
  await queue.idle()
  hand.pass(5000)
  await queue.idle()
  expect(passes).toBe(3)
})

test('what is lost is found by the scan', async () => {
  const names: string[] = []
  const passed: string[] = []
  const { queue, hand } = queueOf(async (name) => {
    passed.push(name)
    return { settled: true }
  }, names)
  queue.start()
  await queue.idle()
  names.push('late')
  hand.pass(60_000)
  await queue.idle()
  expect(passed).toEqual(['late'])
})

test('stopped means stopped', async () => {
  const passed: string[] = []
  const { queue, hand } = queueOf(async (name) => {
    passed.push(name)
    return { settled: false, againMs: 10 }
  })
  queue.start()
  queue.wake('a')
  await queue.idle()
  await queue.stop()
  queue.wake('b')
  hand.pass(100_000)
  await queue.idle()
  expect(passed).toEqual(['a'])
})

test('a loop that knows when time changes something scans then, and tells how late its passes were', async () => {
  const delays: number[] = []
  const seen: { name: string; waitedSeconds: number; failed: boolean }[] = []
  let nowMs = 1000
  const clock = {
    now: () => nowMs,
    after: (delayMs: number) => {
      delays.push(delayMs)
      return () => {}
    },
    sleep: () => Promise.resolve(),
  }
  const queue = new ReconcilerQueue({
    reconciler: {
      name: 'timed',
      everyMs: 60_000,
      nextScanMs: () => 1234,
      list: async () => {
        nowMs += 10
        return ['a']
      },
      async reconcile() {
        nowMs += 5
        return { settled: true }
      },
    },
    clock,
    log: silentLog,
    onPass: (pass) => seen.push(pass),
  })
  expect(queue.status().stopped).toBe(true)
  queue.start()
  await queue.idle()
  expect(delays).toEqual([1234])
  expect(seen).toEqual([{ reconciler: 'timed', name: 'a', seconds: 0.005, waitedSeconds: 0, failed: false }])
  expect(queue.status()).toMatchObject({ lagMs: 0, lastScanAtMs: 1010, passSinceMs: null, stopped: false })
  await queue.stop()
})
