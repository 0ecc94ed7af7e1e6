/**
 * Every command of euca2ools 3.4 and Eucalyptus' admin tools for compute, services and settings: sent as they send it,
 * read as they read it, against an empty cloud and against one with something of everything.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ec2ActionByName } from '../../src/actions/ec2-actions.ts'
import { AnsweringStorage } from '../answering-storage.ts'
import { AnsweringWalrus } from '../answering-walrus.ts'
import { CloudUnderTest, type Credentials } from '../cloud-under-test.ts'
import { absentCommands } from './absent-commands.ts'
import { accountCommands, laterCommands } from './account-commands.ts'
import { adminCommands } from './admin-commands.ts'
import { readAnswer, readError, walk } from './client-answers.ts'
import { clientFilters } from './client-filters.ts'
import { ClientWorld } from './client-world.ts'
import { bundledImages, imageCommands, importCommands } from './image-commands.ts'
import { interfaceCommands } from './interface-commands.ts'
import { lastCommands, launchCommands } from './launch-commands.ts'
import { lastNetworkCommands, networkCommands } from './network-commands.ts'
import { peeringCommands } from './peering-commands.ts'
import { routingCommands } from './routing-commands.ts'
import { volumeCommands } from './volume-commands.ts'

const performed = [
  ...accountCommands,
  ...launchCommands,
  ...imageCommands,
  ...adminCommands,
  ...laterCommands,
  ...interfaceCommands,
  ...networkCommands,
  ...routingCommands,
  ...peeringCommands,
  ...lastNetworkCommands,
  ...lastCommands,
]

let empty: ClientWorld
let full: ClientWorld
let friend: Credentials
let walrus: AnsweringWalrus | undefined
let stored: ClientWorld
let storage: AnsweringStorage
beforeAll(async () => {
  empty = new ClientWorld(await CloudUnderTest.start())
  const cloud = await CloudUnderTest.start({ legacySignatures: true, pollSeconds: 3_600 })
  full = new ClientWorld(cloud)
  const node = await cloud.addNode('node-1', { address: '127.0.0.1' })
  full.things['node'] = node
  friend = await cloud.createAccount('friend')
  full.things['friend'] = friend.accountId
  full.things['image'] = await cloud.plantImage(cloud.admin.accountId)
  walrus = await AnsweringWalrus.join(cloud, bundledImages)
  stored = new ClientWorld(await CloudUnderTest.start())
  storage = await AnsweringStorage.join(stored.cloud, [await stored.cloud.addNode('node-1')])
  stored.things['friend'] = (await stored.cloud.createAccount('friend')).accountId
  stored.things['image'] = await stored.cloud.plantImage(stored.who.accountId)
  await stored.cloud.call('CreateKeyPair', { KeyName: 'key' })
})
afterAll(async () => {
  await walrus?.stop()
  await Promise.all([empty?.cloud.stop(), full?.cloud.stop(), stored?.cloud.stop()])
})

describe('on an empty cloud', () => {
  for (const { name, steps } of [...performed, ...volumeCommands]) {
    const asked = steps.filter((step) => step.whenEmpty)
    if (asked.length > 0) test(name, () => Promise.all(asked.map((step) => empty.play(step, false))))
  }
})

describe('on a cloud with something of everything', () => {
  for (const { name, steps } of performed)
    test(name, async () => {
      for (const step of steps) await full.play(step)
      if (name === 'euca-run-instances') await running(full)
    })
})

describe('on a cloud with volumes', () => {
  for (const { name, steps } of [...volumeCommands, ...importCommands])
    test(name, async () => {
      await storage.settle() // which is how it is heard of again
      for (const step of steps) {
        await stored.play(step)
        await storage.settle()
      }
    })
})

describe('what the cloud has no action for', () => {
  for (const { name, steps } of absentCommands)
    test(name, async () => {
      for (const step of steps) {
        expect(ec2ActionByName.has(step.action)).toBe(false)
        await full.play(step)
      }
    })
})

describe('every filter that a command offers is known', () => {
  test.each(clientFilters)('%s', async (action, filters) => {
    const answers = filters.map((name) =>
      full.play({ action, send: () => ({ 'Filter.1.Name': name, 'Filter.1.Value.1': 'x' }) }).catch(String),
    )
    expect((await Promise.all(answers)).filter((answer) => answer !== undefined)).toEqual([])
  })
})

/** The node says that they run, and sends a console of one. */
async function running(world: ClientWorld): Promise<void> {
  const { cloud } = world
  for (const name of ['instance', 'second', 'third'])
    await cloud.reportDomain(world.thing('node'), `${world.thing(name)}/1`, {
      state: 'running',
      startedAtMs: 5,
    })
  const output = Buffer.from('booting\n<Password>c2VjcmV0IHNlY3JldCE=</Password>\n').toString('base64')
  await cloud.cloud.record.transaction('report', (tx) =>
    tx.db
      .insertInto('console')
      .values({ instance_id: world.thing('instance'), count: 1000, taken_at: 1, output })
      .execute(),
  )
}

test('nodes are told to the admin alone, who asks for everything, and can be searched by', async () => {
  const cloud = full.cloud
  await cloud.call('RunInstances', { ImageId: full.thing('image'), MinCount: 1, MaxCount: 1 })
  const everything = { 'InstanceId.1': 'verbose' }
  const byNode = (name: string) => ({ 'Filter.1.Name': 'tag:euca:node', 'Filter.1.Value.1': name })
  const told = await cloud.call('DescribeInstances', { ...everything, ...byNode('node-1') })
  expect(told.body).toContain('<key>euca:node</key><value>node-1</value>')
  expect((await cloud.call('DescribeInstances', { ...everything, ...byNode('node-2') })).body).toContain(
    '<reservationSet/>',
  )
  expect((await cloud.call('DescribeInstances', byNode('node-1'))).body).toContain('<reservationSet/>')
  expect((await cloud.call('DescribeInstances')).body).not.toContain('euca:node')
  const answer = await cloud.call('DescribeInstances', everything, { as: friend })
  expect([answer.status, answer.body.includes('euca:node')]).toEqual([400, false])
})

test('an image without a name is called as its object, where that is a name', async () => {
  const register = (parameters: Record<string, string>) => full.cloud.call('RegisterImage', parameters)
  expect((await register({ ImageLocation: 'images/x.manifest.xml' })).code).toBe('InvalidAMIName.Malformed')
  expect((await register({ ImageLocation: 'images/' })).code).toBe('MissingParameter')
  expect((await register({})).message).toContain('Name')
  expect((await register({ ImageLocation: 'other/older.img' })).code).toBe('InvalidAMIName.Duplicate')
})

test('the client’s reading is as strict as the client', () => {
  const body = '<r xmlns="x"><a><item><b>1</b></item></a><none/><text>t</text></r>'
  const answer = readAnswer(body, ['a', 'gone'])
  expect(answer).toEqual({ a: [{ b: '1' }], none: {}, text: 't' })
  expect(walk(answer, 'a[].b')).toEqual(['1'])
  expect(walk(answer, 'gone?[].b')).toEqual([])
  expect(() => walk(answer, 'gone[].b')).toThrow('gone is missing')
  expect(() => walk(answer, 'a[].c')).toThrow('c is missing')
  expect(() => walk(answer, 'text.more')).toThrow('looked up in a string')
  expect(() => walk(answer, 'none')).toThrow('no text')
  expect(
    readError('<Response><Errors><Error><Code>A</Code><Message>b</Message></Error></Errors></Response>'),
  ).toEqual({
    code: 'A',
    message: 'b',
  })
})
