import { expect, test } from 'vitest'
import { parseConfig } from '@mallee/service-kit'
import { storageControllerSchema, type StorageControllerConfig } from './config.ts'

const least = {
  ...{ dir: '/d', dataDir: '/v', cloudUrl: 'https://c:8774', joinTokenFile: '/t', name: 'storage' },
}
const ceph = { conf: '/etc/ceph/ceph.conf', user: 'mallee', pool: 'volumes' }
const parse = (more: object) =>
  parseConfig<StorageControllerConfig>(storageControllerSchema, { ...least, ...more }, 'here')

test('what is not said gets its default', () => {
  expect(parse({})).toMatchObject({ driver: 'file', portal: { host: '0.0.0.0', port: 3260 } })
  expect(parse({ driver: 'ceph-rbd', ceph })).toMatchObject({ ceph })
})

test.each([
  ['Ceph without a cluster', { driver: 'ceph-rbd' }, 'ceph'],
  ['a cluster without a pool', { driver: 'ceph-rbd', ceph: { conf: ceph.conf, user: ceph.user } }, 'pool'],
  ['a user that would be an option', { driver: 'ceph-rbd', ceph: { ...ceph, user: '--help' } }, '/ceph/user'],
  ['a misspelt setting', { ceph: { ...ceph, keyrings: '/x' } }, 'keyrings'],
  ['a driver that there is not', { driver: 'lvm' }, '/driver'],
])('%s is refused', (_what, more, said) => {
  expect(() => parse(more)).toThrow(said)
})
