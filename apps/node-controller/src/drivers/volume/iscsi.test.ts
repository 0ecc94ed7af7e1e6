import { expect, test } from 'vitest'
import { readDomain } from '@mallee/domain-xml'
import { diskSerial, diskTarget, iscsiDisk, isOurSecret, secretName, volumeSerial } from './iscsi.ts'

const volume = {
  ...{ attachmentId: 'vol-attach-1.1', volumeId: 'vol-0123456789abcdef0', device: '/dev/sdf', root: false },
  ...{ sizeBytes: 1024 ** 3, iops: 0, bytesPerSecond: 0 },
}
const connection = {
  ...{ attachmentId: 'vol-attach-1.1', volumeId: volume.volumeId, instanceId: 'i-1' },
  ...{ iqn: 'iqn.2026-11.internal.mallee:vol-1.1-x', initiatorIqn: 'iqn.2026-11.internal.mallee:node-1' },
  portal: { host: '10.0.0.7', port: 3260 },
  ...{ chapUser: 'ABC', chapSecret: 'the secret' },
}

test('a disk is a network disk of the target, by its initiator and its secret’s name', () => {
  const xml = iscsiDisk(volume, connection, 'cloud.example')
  expect(xml).toContain(`<source protocol="iscsi" name="${connection.iqn}/1">`)
  expect(xml).toContain('<host name="10.0.0.7" port="3260"/>')
  expect(xml).toContain('<auth username="ABC"><secret type="iscsi" usage="mallee vol-attach-1.1"/></auth>')
  expect(xml).toContain(`<initiator><iqn name="${connection.initiatorIqn}"/></initiator>`)
  expect(xml).not.toContain(connection.chapSecret)
  expect(xml).not.toContain('iotune')
  const [disk] = readDomain(`<domain><name>i-1</name><devices>${xml}</devices></domain>`).disks
  expect(disk).toMatchObject({
    ...{ target: 'vdf', bus: 'virtio', serial: 'vol0123456789abcdef0', protocol: 'iscsi' },
    ...{ source: `${connection.iqn}/1`, driverType: 'raw', cache: 'none' },
  })
})

test('a target on the cloud’s own machine is reached by the name that the node has for it', () => {
  const xml = iscsiDisk(volume, { ...connection, portal: { host: null, port: 3261 } }, 'cloud.example')
  expect(xml).toContain('<host name="cloud.example" port="3261"/>')
})

test('the ceilings of its class are the hypervisor’s to keep', () => {
  const xml = iscsiDisk({ ...volume, iops: 3000, bytesPerSecond: 131_072_000 }, connection, 'x')
  expect(xml).toContain('<total_iops_sec>3000</total_iops_sec>')
  expect(xml).toContain('<total_bytes_sec>131072000</total_bytes_sec>')
  const slow = iscsiDisk({ ...volume, bytesPerSecond: 5 }, connection, 'x')
  expect(slow).toContain('<iotune><total_bytes_sec>5</total_bytes_sec></iotune>')
})

test('what comes from elsewhere stays text', () => {
  const xml = iscsiDisk(volume, { ...connection, iqn: 'iqn"/><x a="&', chapUser: '<u>' }, 'h"')
  expect(xml).toContain('name="iqn&quot;/>&lt;x a=&quot;&amp;/1"')
  expect(xml).toContain('username="&lt;u>"')
})

test.each([
  ['/dev/sdf', 'vdf'],
  ['/dev/xvdf', 'vdf'],
  ['/dev/sda1', 'vda'],
  ['/dev/vdb', 'vdb'],
  ['/dev/hdc', 'vdc'],
  ['/dev/xvdba', 'vdba'],
])('%s is %s in a guest', (device, target) => {
  expect(diskTarget(device)).toBe(target)
})

test('serials and secrets are known by their form', () => {
  expect(diskSerial('vol-0123456789abcdef0')).toBe('vol0123456789abcdef0')
  expect(diskSerial('vol-0123456789abcdef0')).toMatch(volumeSerial)
  expect('disk0').not.toMatch(volumeSerial)
  expect(isOurSecret(secretName('vol-attach-1.1'))).toBe(true)
  expect(isOurSecret('somebody else’s')).toBe(false)
})
