import { X509Certificate } from 'node:crypto'
import { XMLParser } from 'fast-xml-parser'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signRequest } from '@mallee/aws-protocol'
import { CloudProperties } from '../../src/cloud-properties.ts'
import { CloudUnderTest, roomyNode, type Credentials } from '../cloud-under-test.ts'

let cloud: CloudUnderTest
let user: Credentials
let node: string
beforeAll(async () => {
  cloud = await CloudUnderTest.start({ pollSeconds: 3_600 })
  user = await cloud.createAccount('user')
  node = await cloud.addNode('rack-1', { address: '10.0.0.7' } as never)
  const walrus = await cloud.registerAgent('walrus', 'walrus')
  await cloud.report('walrus', walrus, [], { ...roomyNode })
})
afterAll(() => cloud.stop())

const parser = new XMLParser({ isArray: (name) => name === 'item', parseTagValue: false })

/** As euca2ools sends: a form to the path with a slash at its end, signed for the service's own name. */
async function euca(
  service: 'bootstrap' | 'properties' | 'ec2',
  action: string,
  parameters: Record<string, string | boolean> = {},
  options: { as?: Credentials; path?: string; version?: string } = {},
) {
  const paths = {
    bootstrap: '/services/Empyrean/',
    properties: '/services/Properties/',
    ec2: '/services/compute/',
  }
  const path = options.path ?? paths[service]
  const form = new URLSearchParams({ Action: action, Version: options.version ?? 'eucalyptus' })
  for (const [name, value] of Object.entries(parameters)) form.append(name, String(value))
  const headers = { host: 'cloud:8773', 'content-type': 'application/x-www-form-urlencoded', accept: '*/*' }
  const signed = signRequest(
    { method: 'POST', rawPath: path, headers, body: form.toString() },
    { credentials: options.as ?? cloud.admin, region: 'localhost', service, now: new Date() },
  )
  const response = await cloud.cloud.door.inject({
    method: 'POST',
    url: path,
    headers: { ...headers, ...signed },
    payload: form.toString(),
  })
  const document = parser.parse(response.body) as Record<string, Record<string, unknown>>
  const [, root] = Object.entries(document).find(([name]) => !name.startsWith('?'))!
  // oxlint-disable-next-line typescript/no-explicit-any -- tests read into answers of every action
  return {
    status: response.statusCode,
    body: response.body,
    xml: root as any,
    code: /<Code>([^<]*)</.exec(response.body)?.[1],
  }
}

type Shown = {
  serviceId: { name: string; type: string; partition: string; host: string }
  localState: string
  details?: { reason: string }
}
const services = async (parameters: Record<string, string | boolean> = {}) =>
  ((await euca('bootstrap', 'DescribeServices', parameters)).xml.serviceStatuses.item ?? []) as Shown[]

describe('services', () => {
  test('what there is, in the words of the tools', async () => {
    const all = await services({ ListAll: true, ListInternal: false, ShowEventStacks: false })
    expect(all.map(({ serviceId: id, localState }) => [id.type, id.partition, id.name, localState])).toEqual([
      ['eucalyptus', 'eucalyptus', 'cloud-controller', 'ENABLED'],
      ['user-api', 'user-api', 'cloud-controller.user-api', 'ENABLED'],
      ...[
        ['node', 'us-east-1a', 'rack-1', 'ENABLED'],
        ['walrusbackend', 'walrus', 'walrus', 'ENABLED'],
        ['objectstorage', 'objectstorage', 'walrus.objectstorage', 'ENABLED'],
      ].toSorted(
        ([a], [b]) =>
          all.findIndex((one) => one.serviceId.type === a) - all.findIndex((one) => one.serviceId.type === b),
      ),
    ])
    expect(all.find(({ serviceId }) => serviceId.type === 'node')?.serviceId.host).toBe('10.0.0.7')
    expect((await services()).map(({ serviceId }) => serviceId.type)).not.toContain('node')
  })
  test('narrowed', async () => {
    const names = async (parameters: Record<string, string>) =>
      (await services(parameters)).map(({ serviceId }) => serviceId.name)
    expect(await names({ 'Filter.1.Name': 'service-type', 'Filter.1.Value.1': 'node' })).toEqual(['rack-1'])
    expect(await names({ ByServiceType: 'node' })).toEqual(['rack-1'])
    expect(await names({ 'ServiceName.1': 'walrus' })).toEqual(['walrus'])
    expect(await names({ 'Filter.1.Name': 'state', 'Filter.1.Value.1': 'disabled' })).toEqual([])
    const unknown = await euca('bootstrap', 'DescribeServices', {
      'Filter.1.Name': 'colour',
      'Filter.1.Value.1': 'x',
    })
    expect(unknown.code).toBe('InvalidParameterValue')
    expect((await euca('bootstrap', 'DescribeServices', { ListInternal: true })).code).toBe(
      'UnsupportedOperation',
    )
  })
  test('stopped and started, with its events', async () => {
    const state = async () => (await services({ ByServiceType: 'node' }))[0]
    const stopped = await euca('bootstrap', 'ModifyService', { Name: 'rack-1', State: 'stop' })
    expect(stopped.xml.return).toBe('true')
    expect(await state()).toMatchObject({
      localState: 'DISABLED',
      details: { reason: 'an administrator disabled it' },
    })
    const agent = await cloud.cloud.record.read((db) =>
      db.selectFrom('agent').selectAll().where('id', '=', node).executeTakeFirstOrThrow(),
    )
    expect(agent.state).toBe('disabled')
    await euca('bootstrap', 'ModifyService', { Name: 'rack-1', State: 'ENABLE' })
    expect((await state())?.localState).toBe('ENABLED')
    const shown = await euca('bootstrap', 'DescribeServices', { ListAll: true, ShowEvents: true })
    expect(shown.body).toContain('<message>ModifyService</message>')
    for (const [Name, State, code] of [
      ['nobody', 'stop', 'InvalidParameterValue'],
      ['rack-1', 'dance', 'InvalidParameterValue'],
      ['cloud-controller', 'stop', 'UnsupportedOperation'],
    ] as const)
      expect((await euca('bootstrap', 'ModifyService', { Name, State })).code).toBe(code)
  })
  test('what is refused by its name, with the way to do it', async () => {
    const register = { Name: 'x', Type: 'storage', Host: '10.0.0.9', Partition: 'one', Port: '8773' }
    const refused = await euca('bootstrap', 'RegisterService', register)
    expect([refused.code, refused.body.includes('agent token')]).toEqual(['UnsupportedOperation', true])
    expect((await euca('bootstrap', 'DeregisterService', { Name: 'x' })).code).toBe('UnsupportedOperation')
    expect((await euca('bootstrap', 'EvacuatePartition')).code).toBe('InvalidAction')
    expect((await euca('bootstrap', 'DescribeServices', { Colour: 'blue' })).code).toBe('UnknownParameter')
  })
  test('types', async () => {
    const { xml } = await euca('bootstrap', 'DescribeAvailableServiceTypes', { Verbose: true })
    const group = xml.available.item.find(
      (type: { componentName: string }) => type.componentName === 'user-api',
    )
    expect(group.serviceGroupMembers.item[0].entry).toBe('objectstorage')
    for (const type of xml.available.item) expect(type).toHaveProperty('serviceGroups')
  })
  test('certificates, which anybody may fetch: the authority’s, and the one for bundles', async () => {
    const { xml } = await euca('bootstrap', 'DescribeServiceCertificates', { Format: 'pem' }, { as: user })
    const [shown] = xml.serviceCertificates.item
    const certificate = new X509Certificate(shown.certificate)
    expect(certificate.fingerprint256).toBe(shown.certificateFingerprint)
    const bundling = { 'Filter.1.Name': 'certificate-usage', 'Filter.1.Value.1': 'image-bundling' }
    const found = await euca('bootstrap', 'DescribeServiceCertificates', bundling, { as: user })
    const [one, ...others] = found.xml.serviceCertificates.item
    expect([others.length, one.certificateUsage, one.serviceType]).toEqual([0, 'image-bundling', 'compute'])
    const { publicKey, fingerprint256 } = new X509Certificate(one.certificate)
    expect([publicKey.asymmetricKeyType, fingerprint256]).toEqual(['rsa', one.certificateFingerprint])
    const none = { 'Filter.1.Name': 'certificate-usage', 'Filter.1.Value.1': 'tea' }
    expect((await euca('bootstrap', 'DescribeServiceCertificates', none, { as: user })).body).toContain(
      '<serviceCertificates/>',
    )
  })
  test('administration is the admin account’s', async () => {
    for (const [service, action] of [
      ['bootstrap', 'DescribeServices'],
      ['bootstrap', 'ModifyService'],
      ['properties', 'DescribeProperties'],
      ['properties', 'ModifyPropertyValue'],
    ] as const) {
      const answer = await euca(service, action, { Name: 'rack-1', State: 'stop' }, { as: user })
      expect([answer.status, answer.code], action).toEqual([403, 'AccessDenied'])
    }
  })
})

describe('properties', () => {
  const describeOne = async (name: string) =>
    (await euca('properties', 'DescribeProperties', { 'Property.1': name })).xml.properties.item ?? []
  const modify = (parameters: Record<string, string | boolean>) =>
    euca('properties', 'ModifyPropertyValue', parameters)

  test('all of them, a subtree, one, none', async () => {
    const all = (await euca('properties', 'DescribeProperties')).xml.properties.item
    expect(all.length).toBeGreaterThan(7)
    for (const property of all)
      expect(Object.keys(property)).toEqual(['name', 'value', 'description', 'defaultValue', 'readOnly'])
    expect((await describeOne('cloud')).length).toBeGreaterThan(3)
    expect(await describeOne('region.region_name')).toMatchObject([{ value: 'us-east-1', readOnly: 'true' }])
    expect(await describeOne('clou')).toEqual([])
  })
  test('changed at once, and still after the record is read anew; reset', async () => {
    const Name = 'cloud.placement.policy'
    const changed = await modify({ Name, Value: 'pack' })
    expect(changed.xml).toMatchObject({ name: Name, value: 'pack', oldValue: 'round-robin' })
    expect(cloud.cloud.settings.placementPolicy).toBe('pack')
    expect(await describeOne(Name)).toMatchObject([{ value: 'pack', defaultValue: 'round-robin' }])
    const configured = { ...cloud.cloud.settings, placementPolicy: 'round-robin' as const }
    const afterRestart = await new CloudProperties(configured).load(cloud.cloud.record)
    expect(afterRestart.settings.placementPolicy).toBe('pack')
    await modify({ Name, Reset: true })
    expect(cloud.cloud.settings.placementPolicy).toBe('round-robin')
  })
  test.each([
    [{ Name: 'cloud.placement.policy', Value: 'luck' }, 'InvalidParameterValue'],
    [{ Name: 'cloud.placement.policy' }, 'InvalidParameterCombination'],
    [{ Name: 'cloud.placement.policy', Value: 'pack', Reset: true }, 'InvalidParameterCombination'],
    [{ Name: 'cloud.vmstate.terminated_visible_ms', Value: '-1' }, 'InvalidParameterValue'],
    [{ Name: 'region.region_name', Value: 'eu-west-1' }, 'UnsupportedOperation'],
    [{ Name: 'constructor', Value: 'x' }, 'InvalidParameterValue'],
    [{ Value: 'x' }, 'MissingParameter'],
  ])('%j is refused', async (parameters, code) => {
    expect((await modify(parameters as Record<string, string>)).code).toBe(code)
  })
})
