import { expect, test } from 'vitest'
import { routeChanges } from './route-keeper.ts'

test('lacking and moved addresses get their route, others lose it, and what stands is not touched', () => {
  const lines = routeChanges(
    [
      { address: '198.18.0.5', via: '10.0.0.2' },
      { address: '198.18.0.6', via: '10.0.0.3' },
      { address: '198.18.0.7', via: '10.0.0.2' },
    ],
    [
      { address: '198.18.0.5', via: '10.0.0.2' },
      { address: '198.18.0.6', via: '10.0.0.2' },
      { address: '198.18.0.9', via: '10.0.0.2' },
    ],
  )
  expect(lines).toEqual([
    ['replace', '198.18.0.6/32', 'via', '10.0.0.3', 'proto', '191'],
    ['replace', '198.18.0.7/32', 'via', '10.0.0.2', 'proto', '191'],
    ['del', '198.18.0.9/32', 'proto', '191'],
  ])
})
