import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { adminSettings } from './admin-settings.ts'

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'mallee-settings-'))
  await mkdir(path.join(dir, 'etc'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const machine = { file: (...parts: string[]) => path.join(dir, ...parts) }
const say = (text: string) => writeFile(path.join(dir, 'etc', 'walrus.json'), text)

it('takes what is the admin’s, and nothing else', async () => {
  expect(await adminSettings(machine, 'walrus')).toEqual({})
  await say('{"modernBuckets":true}')
  expect(await adminSettings(machine, 'walrus')).toEqual({ modernBuckets: true })
  expect(await adminSettings(machine, 'node-controller')).toEqual({})
  for (const text of ['{"dataDir":"/"}', 'nonsense', '[]', 'null']) {
    await say(text)
    await expect(adminSettings(machine, 'walrus')).rejects.toMatchObject({ code: 'BadSettings' })
  }
})
