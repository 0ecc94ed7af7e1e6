import { afterEach, beforeEach, expect, test } from 'vitest'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { filter, items, NetworkSteps, tagged, type Parameters } from './network-steps.ts'

let cloud: CloudUnderTest
let steps: NetworkSteps
beforeEach(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none' })
  steps = new NetworkSteps(cloud)
})
afterEach(() => cloud.stop())

/** `DhcpConfiguration` as it stands on the wire. */
const configuration = (...options: readonly (readonly [key: string, ...values: string[]])[]): Parameters =>
  Object.fromEntries(
    options.flatMap(([key, ...values], index) => [
      [`DhcpConfiguration.${index + 1}.Key`, key],
      ...values.map((value, place) => [`DhcpConfiguration.${index + 1}.Value.${place + 1}`, value] as const),
    ]),
  )
const described = async (parameters: Parameters = {}) =>
  items((await steps.done('DescribeDhcpOptions', parameters)).dhcpOptionsSet)

test('a set is made, told to a VPC, and held by it', async () => {
  const { dhcpOptions } = await steps.done('CreateDhcpOptions', {
    ...configuration(
      ['domain-name', 'corp.example'],
      ['domain-name-servers', '10.0.0.9', 'AmazonProvidedDNS'],
      ['ntp-servers', '10.0.0.7'],
      ['netbios-name-servers', '10.0.0.6'],
      ['netbios-node-type', '2'],
    ),
    ...tagged('dhcp-options'),
  })
  const id = dhcpOptions.dhcpOptionsId as string
  const values = (...texts: string[]) => ({ item: texts.map((value) => ({ value })) })
  expect(dhcpOptions).toEqual({
    ...{ dhcpOptionsId: id, ownerId: cloud.admin.accountId },
    dhcpConfigurationSet: {
      item: [
        { key: 'domain-name', valueSet: values('corp.example') },
        { key: 'domain-name-servers', valueSet: values('10.0.0.9', 'AmazonProvidedDNS') },
        { key: 'ntp-servers', valueSet: values('10.0.0.7') },
        { key: 'netbios-name-servers', valueSet: values('10.0.0.6') },
        { key: 'netbios-node-type', valueSet: values('2') },
      ],
    },
    tagSet: { item: [{ key: 'colour', value: 'red' }] },
  })
  for (const [name, value] of [
    ['dhcp-options-id', id],
    ['key', 'ntp-servers'],
    ['value', 'corp.*'],
    ['tag:colour', 'red'],
  ])
    expect(await described(filter(name!, value!)), name).toEqual([dhcpOptions])
  const vpcId = await steps.vpc()
  const seen = async () =>
    items((await steps.done('DescribeVpcs', { 'VpcId.1': vpcId })).vpcSet)[0].dhcpOptionsId
  expect(await seen()).toBe('default')
  await steps.done('AssociateDhcpOptions', { DhcpOptionsId: id, VpcId: vpcId })
  expect(await seen()).toBe(id)
  expect(items((await steps.done('DescribeVpcs', filter('dhcp-options-id', id))).vpcSet).length).toBe(1)
  expect(await steps.refused('DeleteDhcpOptions', { DhcpOptionsId: id })).toBe('DependencyViolation')
  await steps.done('AssociateDhcpOptions', { DhcpOptionsId: 'default', VpcId: vpcId })
  expect(await seen()).toBe('default')
  const other = await steps.other()
  const theirs = await other.vpc()
  const missing = 'InvalidDhcpOptionsID.NotFound'
  expect(await other.refused('AssociateDhcpOptions', { DhcpOptionsId: id, VpcId: theirs })).toBe(missing)
  expect(await other.refused('DeleteDhcpOptions', { DhcpOptionsId: id })).toBe(missing)
  expect(await other.refused('AssociateDhcpOptions', { DhcpOptionsId: 'default', VpcId: vpcId })).toBe(
    'InvalidVpcID.NotFound',
  )
  await steps.done('DeleteDhcpOptions', { DhcpOptionsId: id })
  expect(await steps.refused('DeleteDhcpOptions', { DhcpOptionsId: id })).toBe(missing)
  expect(await steps.refused('DeleteDhcpOptions', { DhcpOptionsId: 'x' })).toBe(
    'InvalidDhcpOptionsId.Malformed',
  )
})

test.each([
  [configuration(['colour', 'red']), 'InvalidParameterValue'],
  [configuration(['constructor', 'red']), 'InvalidParameterValue'],
  [configuration(['domain-name']), 'InvalidParameterValue'],
  [configuration(['domain-name', 'a.example', 'b.example']), 'InvalidParameterValue'],
  [configuration(['domain-name', `${'x'.repeat(64)} b.example`]), 'InvalidParameterValue'],
  [configuration(['domain-name', 'a..b']), 'InvalidParameterValue'],
  [configuration(['domain-name', 'a\nb']), 'InvalidParameterValue'],
  [configuration(['domain-name-servers', 'ns.example']), 'InvalidParameterValue'],
  [
    configuration(['ntp-servers', '10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5']),
    'InvalidParameterValue',
  ],
  [configuration(['ntp-servers', 'fd00::1']), 'InvalidParameterValue'],
  [configuration(['netbios-node-type', '3']), 'InvalidParameterValue'],
  [configuration(['ipv6-address-preferred-lease-time', '60']), 'UnsupportedOperation'],
  [{}, 'MissingParameter'],
])('CreateDhcpOptions with %o is refused', async (parameters, code) => {
  expect(await steps.refused('CreateDhcpOptions', parameters)).toBe(code)
  expect(await described()).toEqual([])
})
