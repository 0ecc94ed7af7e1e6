import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { writeFormats } from './backup/formats.ts'
import { requireMachine } from './host/machine.ts'
import { writeConfigs } from './start-daemons.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'mallee-start-'))
  const choices = { portBase: 18_773, publicPool: '198.18.9.0/24', region: 'us-east-1' }
  await writeFile(
    path.join(dir, 'mallee.json'),
    JSON.stringify({ ...choices, availabilityZones: ['us-east-1a'] }),
  )
})
afterEach(() => rm(dir, { recursive: true }))

test('no daemon is configured on what an older release wrote', async () => {
  await expect(writeConfigs(requireMachine(dir))).rejects.toMatchObject({ code: 'OlderRelease' })
  expect(await readdir(dir)).toEqual(['mallee.json'])
})

test('no daemon is configured on half a restored cloud', async () => {
  await writeFormats(dir)
  await writeFile(path.join(dir, 'restore-unfinished'), '')
  await expect(writeConfigs(requireMachine(dir))).rejects.toMatchObject({ code: 'RestoreUnfinished' })
  await rm(path.join(dir, 'restore-unfinished'))
  await writeConfigs(requireMachine(dir))
  expect(await readdir(path.join(dir, 'config'))).toContain('front-door.json')
})
