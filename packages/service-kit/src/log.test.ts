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
  log.error({ err: Object.assign(new Error('said'), { password: 'FFFF' }), key: { key: 'GGGG' } }, 'z')
  log.child({ a: { secret: 'HHHH' } }).info({ list: [{ token: 'IIII' }] })
  const written = lines.join('')
  expect(lines.length).toBe(4)
  for (const secret of ['AAAA', 'BBBB', 'CCCC', 'DDDD', 'EEEE', 'FFFF', 'GGGG', 'HHHH', 'IIII'])
    expect(written).not.toContain(secret)
  expect(written).toContain('"message":"said"')
})
