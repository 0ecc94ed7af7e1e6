import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '@mallee/base'
import { NcHooks } from './nc-hooks.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'mallee-hooks-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const hooks = (timeoutMs = 5000) =>
  new NcHooks({ dir, home: '/home-of-eucalyptus', timeoutMs, log: silentLog })
async function hook(name: string, script: string, mode = 0o755): Promise<void> {
  await writeFile(path.join(dir, name), `#!/bin/sh\n${script}\n`)
  await chmod(path.join(dir, name), mode)
}

test('runs executables by name with event, home and parameter', async () => {
  await hook('20-b', `echo b "$@" >> ${dir}/seen.txt`)
  await hook('10-a', `echo a "$@" >> ${dir}/seen.txt`)
  await hook('00-not-executable', `echo never >> ${dir}/seen.txt`, 0o644)
  await hooks().run('euca-nc-pre-boot', '/some/instance')
  expect(await readFile(path.join(dir, 'seen.txt'), 'utf8')).toBe(
    'a euca-nc-pre-boot /home-of-eucalyptus /some/instance\nb euca-nc-pre-boot /home-of-eucalyptus /some/instance\n',
  )
})

test('the first that fails vetoes and stops the rest', async () => {
  await hook('10-a', 'exit 3')
  await hook('20-b', `touch ${dir}/ran`)
  await expect(hooks().run('euca-nc-pre-boot')).rejects.toThrow('10-a refused euca-nc-pre-boot: exit code 3')
  await expect(readFile(path.join(dir, 'ran'))).rejects.toThrow()
})

test('one that hangs, even in a child, is ended and vetoes', async () => {
  await hook('10-a', 'sleep 600 & wait')
  await expect(hooks(200).run('euca-nc-pre-boot')).rejects.toThrow('did not end within 200 ms')
})

test('what a hook leaves running in the background is not waited for', async () => {
  await hook('10-a', `sleep 600 &\necho $! > ${dir}/left.txt\nexit 0`)
  try {
    await expect(hooks(3000).run('euca-nc-post-init')).resolves.toBeUndefined()
  } finally {
    process.kill(Number(await readFile(path.join(dir, 'left.txt'), 'utf8')), 'SIGKILL')
  }
})

test('no folder, no hooks', async () => {
  await rm(dir, { recursive: true })
  await expect(hooks().run('euca-nc-pre-init')).resolves.toBeUndefined()
})
