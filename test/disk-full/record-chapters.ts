import { assert } from '@mallee/base'
import type { CallAnswer } from '../crash/crash-client.ts'
import { until } from '../crash/until.ts'
import { assertRefused, type FullCloud } from './full-cloud.ts'

const codes = /^Unavailable$/
const longestTries = 400

/**
 * SQLite fills what its log already owns before it asks for more: calls are made until a kind was refused some times.
 * Each is refused clearly or kept; answers which numbers were kept.
 */
async function untilRefused(
  what: string,
  call: (number: number) => Promise<CallAnswer | null>,
): Promise<{ kept: number[]; refused: number[] }> {
  const outcome: { kept: number[]; refused: number[] } = { kept: [], refused: [] }
  for (let first = 0; outcome.refused.length < 3; first += 4) {
    assert(first < longestTries, `${what} is never refused`)
    const numbers = [first, first + 1, first + 2, first + 3]
    const answers = await Promise.all(numbers.map(call))
    for (const [index, answer] of answers.entries()) {
      if (answer?.status !== 200) assertRefused(answer, what, codes)
      outcome[answer?.status === 200 ? 'kept' : 'refused'].push(numbers[index]!)
    }
  }
  return outcome
}

/** Every kind of writer of the record: actions, the admin's door, reports of agents, reconcilers. */
export async function fullRecord(full: FullCloud): Promise<void> {
  const { world, disks } = full
  const { client } = world
  const early = await Promise.all(['a', 'b', 'c'].map((name) => world.launch(`before-full-${name}`)))
  await disks.cloud.fill(512 * 1024)
  const keys = await untilRefused('CreateKeyPair', (number) =>
    client.ec2('CreateKeyPair', { KeyName: `key-${number}` }),
  )
  assert(keys.kept.length > 0, 'nothing fitted')
  const tags = await untilRefused('CreateTags', (number) =>
    client.ec2('CreateTags', {
      'ResourceId.1': world.bystander.id,
      'Tag.1.Key': `tag-${number % 30}`,
      'Tag.1.Value': String(number),
    }),
  )
  const runs = await untilRefused('RunInstances', (number) => world.launch(`full-${number}`))
  const said = await world.admin('POST', '/admin/v1/accounts', { name: 'full' }).then(
    () => 'success',
    (error: Error) => error.message,
  )
  assert(/disk space/.test(said), `an account on a full disk: ${said}`)
  assert((await client.ec2('DescribeInstances'))?.status === 200, 'reads do not go on')
  assert((await client.s3('GET', '/images/first.img'))?.status === 200, 'objects are not read')
  assert(full.alive, 'a daemon ended')
  assert((await disks.cloud.free()) === 0, 'the disk has room')

  await disks.cloud.room()
  for (const answer of early) await full.running(answer!.xml.instancesSet.item[0].instanceId as string)
  const listed = ((await client.ec2('DescribeKeyPairs'))!.xml.keySet?.item ?? []) as {
    keyName: string
  }[]
  const names = new Set(listed.map((key) => key.keyName))
  for (const number of keys.kept) assert(names.has(`key-${number}`), `key-${number} was acknowledged`)
  for (const number of keys.refused) assert(!names.has(`key-${number}`), `key-${number} was refused`)
  assert(tags.refused.length > 0, 'no tag was refused')
  const guests = await world.guests()
  // A refused launch may be asked for again; a kept one is still the same.
  const before = guests.length
  for (const number of runs.kept) assert((await world.launch(`full-${number}`))?.status === 200, 'no repeat')
  assert((await world.guests()).length === before, 'a launch that was acknowledged was made again')
  await full.well()
  await endAllBut(full)
}

/** The cloud controller ends while there is no room, and is started again as often as it takes. */
export async function fullRestart(full: FullCloud): Promise<void> {
  const { world, disks } = full
  await disks.cloud.fill()
  await world.cloud.kill()
  const stood = await world.cloud.revive().then(
    () => true,
    () => false,
  )
  process.stdout.write(`     on a full disk the cloud controller ${stood ? 'starts' : 'does not start'}\n`)
  await disks.cloud.room()
  await full.restarted(world.cloud)
  await full.well()
}

/** Every guest but the bystander ends, so that the next chapter has few to watch. */
export async function endAllBut(full: FullCloud): Promise<void> {
  const { world } = full
  const ids = (await world.guests()).map((guest) => guest.id).filter((id) => id !== world.bystander.id)
  if (ids.length === 0) return
  const names = Object.fromEntries(ids.map((id, index) => [`InstanceId.${index + 1}`, id]))
  assert((await world.client.ec2('TerminateInstances', names))?.status === 200, 'they do not end')
  await until('their end', async () => (await world.guests()).length === 1)
}
