import { expect, test } from 'vitest'
import { parseFrontDoorConfig } from './config.ts'

const listen = { host: '0.0.0.0', port: 8773 }
const walrus = { host: '127.0.0.1', port: 8775 }

test('what is not said gets its default, for a cloud on a socket and for one over TCP', () => {
  expect(parseFrontDoorConfig({ listen, cloud: { socketPath: '/s' }, walrus })).toEqual({
    listen,
    cloud: { socketPath: '/s' },
    walrus: { ...walrus, tls: false },
    logLevel: 'info',
  })
  const cloud = { host: '10.0.0.1', port: 8773 }
  expect(parseFrontDoorConfig({ listen, cloud, walrus }).cloud).toEqual({ ...cloud, tls: false })
})

test.each([
  ['a misspelt setting', { tlsfile: '/x' }, 'tlsfile'],
  ['a cloud at two places', { cloud: { socketPath: '/s', host: 'h', port: 1 } }, 'host'],
  ['a cloud at none', { cloud: {} }, '/cloud'],
  ['a port that is none', { listen: { host: '0.0.0.0', port: 65_536 } }, '/listen/port'],
  ['a level that is none', { logLevel: 'loud' }, '/logLevel'],
  ['a walrus over TLS without a file', { walrus: { ...walrus, tls: true } }, 'walrus.tls needs tlsFile'],
  ['a cloud over TLS without a file', { cloud: { ...walrus, tls: true } }, 'cloud.tls needs tlsFile'],
])('%s is refused', (_what, change, said) => {
  const config = { listen, cloud: { socketPath: '/s' }, walrus }
  expect(() => parseFrontDoorConfig({ ...config, ...structuredClone(change) })).toThrow(said)
})
