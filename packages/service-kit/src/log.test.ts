import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { createLog } from './log.ts'

test('secrets never reach the log, at the top or inside', () => {
  const lines: string[] = []
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const log = createLog({ name: 'test', destination })
  log.info(
    { secretAccessKey: 'AAAA', key: { secretAccessKey: 'BBBB' }, headers: { authorization: 'CCCC' } },
    'x',
  )
  log.child({ token: 'DDDD' }).warn({ a: { b: { userData: 'EEEE' } } }, 'y')
  const written = lines.join('')
  expect(lines.length).toBe(2)
  for (const secret of ['AAAA', 'BBBB', 'CCCC', 'DDDD', 'EEEE']) expect(written).not.toContain(secret)
})
