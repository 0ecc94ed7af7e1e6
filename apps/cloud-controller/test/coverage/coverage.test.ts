import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { operationNamed, structNamed } from '@mallee/aws-protocol'
import { documentedFilters, ec2Model } from '@mallee/ec2-api'
import { ec2ActionByName } from '../../src/actions/ec2-actions.ts'
import { coverageReport, seenByTest } from '../../src/coverage/coverage-report.ts'
import { memberPaths } from '../../src/coverage/member-paths.ts'
import { honourOf } from '../../src/http/honoured-members.ts'
import { CloudUnderTest } from '../cloud-under-test.ts'
import { RecordingWatch } from './action-watch.ts'
import { baseRequests } from './base-requests.ts'
import { CoverageWorld } from './coverage-world.ts'
import { parameterFor } from './synthesise.ts'

/**
 * The report that cannot lie: every member that an action lists as honoured is given to it once, and must have been
 * read; every filter is tried; every other member is refused by its name; what is answered is written down here.
 * With MALLEE_WRITE_COVERAGE=1 the two generated files are written anew.
 */
const writing = process.env['MALLEE_WRITE_COVERAGE'] === '1'
const watch = new RecordingWatch()
/** Codes of refusals, by action. */
const refusals = new Map<string, Set<string>>()
let cloud: CloudUnderTest
let world: CoverageWorld
let stopAnswering: () => void

beforeAll(async () => {
  cloud = await CloudUnderTest.start(
    { requestLimits: 'none', pollSeconds: 3_600, publicPool: '198.18.0.0/16' },
    undefined,
    watch,
  )
  await cloud.addNode('node-1', { vcpus: 100_000, memoryMiB: 100_000_000, diskGiB: 10_000_000 })
  await cloud.cloud.record.transaction('action', async (tx) => {
    await tx.db.updateTable('quota').set({ value: 100_000 }).execute()
  })
  await cloud.addStorage()
  world = new CoverageWorld(cloud, await cloud.plantImage(cloud.admin.accountId))
  // Something of everything, so that describes have what to tell.
  stopAnswering = answerBlobs(cloud)
  await world.instance()
  await world.tagged()
  await world.keyPair()
  await world.call('ModifyVolume', { VolumeId: await world.attachedVolume(), Size: 2 })
})
afterAll(() => {
  stopAnswering()
  return cloud.stop()
})

/** Answers, as a node would, whatever console or screen is asked for. */
function answerBlobs({ cloud: { record } }: CloudUnderTest): () => void {
  const answer = () =>
    record.transaction('report', async (tx) => {
      const asked = await tx.db
        .selectFrom('instance')
        .select(['id', 'console_count', 'screenshot_count'])
        .execute()
      for (const { id, console_count: consoles, screenshot_count: screens } of asked) {
        const console = { count: consoles, taken_at: 1, output: 'eA==' }
        const screen = { count: screens, taken_at: 1, image: 'eA==' }
        if (consoles > 0)
          await tx.db
            .insertInto('console')
            .values({ instance_id: id, ...console })
            .onConflict((conflict) => conflict.column('instance_id').doUpdateSet(console))
            .execute()
        if (screens > 0)
          await tx.db
            .insertInto('screenshot')
            .values({ instance_id: id, ...screen })
            .onConflict((conflict) => conflict.column('instance_id').doUpdateSet(screen))
            .execute()
      }
    })
  const timer = setInterval(() => void answer().catch(() => {}), 100)
  return () => clearInterval(timer)
}

/** What the door reads for every action, or checks before it. */
const doorMembers = /^(?:DryRun|ClientToken|TagSpecifications)(?:\.|$)/

const actions = [...ec2ActionByName]

async function call(name: string, parameters: Parameters<CloudUnderTest['call']>[1]) {
  const answer = await cloud.call(name, parameters)
  const codes = refusals.get(name) ?? new Set<string>()
  if (answer.code !== undefined) refusals.set(name, codes.add(answer.code))
  return answer
}

test('every action that is performed has a request here, and no other', () => {
  expect(Object.keys(baseRequests).toSorted()).toEqual(actions.map(([name]) => name).toSorted())
})

test.each(actions.map(([name, action]) => ({ name, action })))(
  '$name reads what it honours, refuses the rest by name, and knows its filters',
  async ({ name, action }) => {
    const base = baseRequests[name]!
    const plain = await call(name, await base.request(world))
    expect(plain.code, plain.message).toBe(base.refusedAs)
    const inputs = memberPaths(ec2Model(), operationNamed(ec2Model(), name)?.in)
    const leaves = inputs.filter(({ hasMembers, path }) => !hasMembers && !/^Filters?\./.test(path))
    for (const { path } of leaves) {
      if (doorMembers.test(path) || Object.hasOwn(action.only ?? {}, path)) continue
      const [parameter, value] = parameterFor(name, path)
      if (honourOf(action, path) === 'honoured') {
        watch.readOf(name).delete(path)
        // A member that goes with nothing else is given with the request that it goes with.
        for (const request of [base.request, ...(base.others ?? [])]) {
          if (watch.readOf(name).has(path)) break
          await call(name, { [parameter]: value, ...(await request(world)) })
        }
        expect(watch.readOf(name), `${name} does not read ${path}, which it lists as honoured`).toContain(
          path,
        )
      } else {
        const refused = await call(name, { ...(await base.request(world)), [parameter]: value })
        // Without what it belongs to, a member may be missed before it is refused.
        expect(['UnsupportedOperation', 'MissingParameter'], `${name} ${parameter}`).toContain(refused.code)
        expect(refused.message, `${name} ${parameter}`).toContain(parameter.split('.')[0])
      }
    }
    for (const type of action.creates ?? []) {
      const tags = {
        'TagSpecification.1.ResourceType': type,
        'TagSpecification.1.Tag.1.Key': 'colour',
        'TagSpecification.1.Tag.1.Value': name,
      }
      const element = `<resourceType>${type}</resourceType>`
      let found = ''
      for (const request of [base.request, ...(base.others ?? [])]) {
        if (found.includes(element)) break
        const tagged = await call(name, { ...(await request(world)), ...tags })
        expect(tagged.code, tagged.message).toBe(base.refusedAs)
        const filter = { 'Filter.1.Name': 'value', 'Filter.1.Value.1': name }
        found = (await cloud.call('DescribeTags', filter)).body
      }
      expect(found, `${name} drops tags of ${type}`).toContain(element)
    }
    // One action has them under the name of one.
    const list = ['Filters', 'Filter'].find((wanted) => inputs.some(({ path }) => path === wanted))
    if (list === undefined || honourOf(action, list) !== 'honoured') return
    const filtered = async (filter: string) =>
      call(name, {
        ...(await base.request(world)),
        [parameterFor(name, `${list}.Name`)[0]]: filter.replace('KEY', 'colour'),
        [parameterFor(name, `${list}.Values`)[0]]: 'nothing-has-this',
      })
    for (const filter of action.filters ?? []) {
      const answer = await filtered(filter)
      expect(answer.code, `${name} ${filter}: ${answer.message}`).toBe(base.refusedAs)
    }
    const others = (documentedFilters()[name] ?? []).filter((filter) => !action.filters?.includes(filter))
    for (const filter of [...others, 'no-such-filter'])
      expect((await filtered(filter)).code, `${name} ${filter}`).toBe('InvalidParameterValue')
  },
  60_000,
)

test('every member that the model requires of an answer was answered', () => {
  const missing: string[] = []
  for (const [name, answered] of watch.answered) {
    const operation = operationNamed(ec2Model(), name)
    if (operation?.out === undefined) continue
    const required = (shape: string, at: string) => {
      for (const [member, model] of Object.entries(structNamed(ec2Model(), shape).members))
        if (model[2]?.required && !answered.has(`${at}${member}`)) missing.push(`${name} ${at}${member}`)
    }
    required(operation.out, '')
    for (const { path, shape, hasMembers } of memberPaths(ec2Model(), operation.out))
      if (hasMembers && answered.has(path)) required(shape, `${path}.`)
  }
  expect(missing).toEqual([])
})

test('the report that is checked in is the report of this code', async () => {
  const sorted = (map: ReadonlyMap<string, ReadonlySet<string>>) =>
    Object.fromEntries(
      [...map]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, values]) => [name, [...values].toSorted()]),
    )
  const seen = { answered: sorted(watch.answered), errors: sorted(refusals) }
  const seenFile = new URL('../../src/coverage/seen.json', import.meta.url)
  const reportFile = new URL('../../../../docs/coverage-ec2.json', import.meta.url)
  const text = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`
  if (writing) {
    await writeFile(seenFile, text(seen))
    await writeFile(reportFile, text(coverageReport(seen)))
  }
  // Members come and go with what a run happens to have: none that was written down may be missing, though.
  const before = seenByTest()
  for (const [name, members] of Object.entries(before.answered))
    expect(seen.answered[name] ?? [], name).toEqual(expect.arrayContaining([...members]))
  expect(seen.errors).toEqual(before.errors)
  expect(JSON.parse(await readFile(reportFile, 'utf8'))).toEqual(JSON.parse(text(coverageReport())))
})
