import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ec2ActionByName } from '../../src/actions/ec2-actions.ts'
import { CloudUnderTest, type Answer } from '../cloud-under-test.ts'
import { baseRequests } from '../coverage/base-requests.ts'
import type { Parameters } from '../coverage/coverage-world.ts'
import { guessed, namingMembers, Tenant, type Kind } from './foreign-things.ts'
import { dumpRecord } from './record-dump.ts'
import { requestAround } from './request-around.ts'

/**
 * Every member of every action by which a caller can name a thing, given the name of another account's: the answer is
 * that of a well-formed name of nothing, word for word, and nothing of the other account changes. And no describe,
 * filtered or not, shows anything of another account, to a tenant or to the cloud's admin.
 */
let cloud: CloudUnderTest
let tenants: Readonly<Record<'admin' | 'tenant', Tenant>>

beforeAll(async () => {
  cloud = await CloudUnderTest.start({
    requestLimits: 'none',
    pollSeconds: 3_600,
    publicPool: '198.18.0.0/16',
  })
  await cloud.addNode('node-1', { vcpus: 100_000, memoryMiB: 100_000_000, diskGiB: 10_000_000 })
  await cloud.addStorage()
  const tenant = await cloud.createAccount('tenant')
  await cloud.cloud.record.transaction('action', async (tx) => {
    await tx.db.updateTable('quota').set({ value: 100_000 }).execute()
  })
  tenants = {
    admin: await Tenant.open(cloud, cloud.admin, 'admins'),
    tenant: await Tenant.open(cloud, tenant, 'tenants'),
  }
  for (const owner of Object.values(tenants)) {
    for (const kind of ['instance', 'keyPair', 'securityGroupRule', 'placementGroup'] as const)
      await owner.thing(kind)
    await owner.launchTemplate()
    await owner.tagged()
    await owner.registeredImage()
    await owner.call('ModifyVolume', { VolumeId: await owner.attachedVolume(), Size: 2 })
  }
})
afterAll(() => cloud.stop())

/** What an answer says, whatever things it is about. */
const bare = (answer: Answer, name: string) => ({
  status: answer.status,
  code: answer.code,
  body: answer.body
    .replaceAll(answer.requestId, 'REQUEST')
    .replaceAll(name, 'NAME')
    .replaceAll(/\b(?:admins|tenants)-\d+\b/g, 'NAME')
    .replaceAll(/\b[a-z]+-[0-9a-f]{17}\b/g, 'ID')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME'),
})

/** Every row that has to do with an account, as text. */
async function recordOf(accountId: string): Promise<string[]> {
  const rows = Object.entries(await dumpRecord(cloud))
    // A template may say anything in its data: it is its owner's, whatever it names.
    .filter(([table]) => table !== 'launch_template_version')
    .flatMap(([table, lines]) => lines.map((line) => `${table} ${line}`))
  const ids = idsIn(rows.filter((row) => row.includes(accountId)))
  return rows.filter((row) => row.includes(accountId) || [...idsIn([row])].some((id) => ids.has(id)))
}

function idsIn(rows: readonly string[]): Set<string> {
  return new Set(rows.flatMap((row) => row.match(/\b(?!agent)[a-z]+(?:-attach)?-[0-9a-f]{17}\b/g) ?? []))
}

const members = namingMembers()

test('there is a member for every way to name a thing', () => {
  expect(members.length).toBeGreaterThan(130)
  const named = new Set(members.map(({ action }) => action))
  const takesId = /^(?:Terminate|Reboot|Start|Stop|Monitor|Unmonitor|Delete|Deregister|Modify|Reset|Get)/
  const without = [...ec2ActionByName.keys()].filter((name) => takesId.test(name) && !named.has(name))
  // What an account says of itself names nothing; its key has no name of the form of an id (encryption.test.ts).
  expect(without.filter((name) => !/Ebs(?:Default|Encryption)/.test(name)).toSorted()).toEqual([
    ...['ModifyIdFormat', 'ModifyIdentityIdFormat'],
  ])
})

/** Where a thing of the caller's own is answered like one of nobody, being of another group, or only after asking a node that is not there. */
const aloneToo =
  /^(?:Revoke\S+ SecurityGroupRuleId\.1|(?:Modify|Update)SecurityGroupRule\S+ SecurityGroupRule\S+|\S+ IpPermissions\.1\.Groups\.1\.Vpc\S+|CreateLaunchTemplate\S* LaunchTemplateData\.\S+|CreateSnapshots \S+ExcludeDataVolumeId\.1|Get(?:Console|Password)\S+ \S+|DeleteRoute DestinationPrefixListId)$/

describe.each([
  ['admin', 'tenant'],
  ['tenant', 'admin'],
] as const)('things of the %s, asked for by the %s', (whose, who) => {
  test.each(members)('$action $parameter ($kind)', async (member) => {
    const { action, parameter, kind } = member
    const owner = tenants[whose]
    const intruder = tenants[who]
    const [theirs, nobodys] = [await owner.thing(kind), guessed(kind)]
    const requests = [await requestAround(member, intruder), await requestAround(member, intruder)] as const
    await cloud.settled()
    const before = await recordOf(owner.accountId)

    const foreign = await intruder.cloud.call(action, { ...requests[0], [parameter]: theirs })
    const guess = await intruder.cloud.call(action, { ...requests[1], [parameter]: nobodys })
    expect(bare(foreign, theirs)).toEqual(bare(guess, nobodys))
    if (parameter.startsWith('LaunchTemplateData.') && foreign.status === 200) {
      const launched = [
        await launchFrom(intruder, foreign, kind),
        await launchFrom(intruder, guess, kind),
      ] as const
      expect(launched[0].code).toMatch(/NotFound|Unknown|InvalidGroup|InvalidParameterValue/)
      expect(bare(launched[0], theirs)).toEqual(bare(launched[1], nobodys))
    }
    await cloud.settled()
    expect(await recordOf(owner.accountId)).toEqual(before)

    if (aloneToo.test(`${action} ${parameter}`)) return
    const own = await requestAround(member, owner)
    const owners = await owner.cloud.call(action, { ...own, [parameter]: theirs })
    expect(bare(owners, theirs)).not.toEqual(bare(guess, nobodys))
  })

  test('no describe shows any of them, whatever it is filtered by', async () => {
    const owner = tenants[whose]
    const intruder = tenants[who]
    const hidden = idsIn(await recordOf(owner.accountId))
    const values = [...hidden, owner.accountId].slice(-190)
    let shown = 0
    for (const [name, action] of ec2ActionByName) {
      if (!name.startsWith('Describe')) continue
      const base: Parameters = await baseRequests[name]!.request(intruder)
      const asked: Parameters[] = [base]
      for (const filter of action.filters ?? []) {
        const list = values.map((value, index) => [`Filter.1.Value.${index + 1}`, value])
        asked.push({ ...base, 'Filter.1.Name': filter.replace('KEY', 'colour'), ...Object.fromEntries(list) })
        asked.push({ ...base, 'Filter.1.Name': filter.replace('KEY', 'colour'), 'Filter.1.Value.1': '*' })
      }
      for (const parameters of asked) {
        const { body } = await intruder.cloud.call(name, parameters)
        const filter = String(parameters['Filter.1.Name'] ?? 'no filter')
        expect(
          [...idsIn([body])].filter((id) => hidden.has(id)),
          `${name} by ${filter}`,
        ).toEqual([])
        expect(body, `${name} by ${filter}`).not.toContain(owner.accountId)
        shown += idsIn([body]).size
      }
    }
    expect(shown).toBeGreaterThan(100)
  })
})

function launchFrom(caller: Tenant, { xml }: Answer, kind: Kind): Promise<Answer> {
  const made = xml.launchTemplate ?? xml.launchTemplateVersion
  return caller.cloud.call('RunInstances', {
    'LaunchTemplate.LaunchTemplateId': made.launchTemplateId,
    'LaunchTemplate.Version': '$Latest',
    ...(kind === 'image' ? {} : { ImageId: caller.imageId }),
    MinCount: 1,
    MaxCount: 1,
  })
}
