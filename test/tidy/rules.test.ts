import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { root, sourceFiles } from './source-tree.ts'

const files = sourceFiles()
const shipped = files.filter((file) => /\/src\//.test(file.name) && !file.name.endsWith('.test.ts'))

test('only the store writes state columns', () => {
  const writers = shipped.filter(
    (file) =>
      file.name.startsWith('apps/cloud-controller/') &&
      /\.set\(\{(?:[^}]*[\s,])?state\s*[,:}]/.test(file.text) &&
      !file.name.endsWith('store/transition.ts'),
  )
  expect(writers.map((file) => file.name)).toEqual([])
})

test('only main files touch the process’s arguments and end', () => {
  const wrong = shipped.filter(
    (file) =>
      /process\.(?:argv|exit\()/.test(file.text) &&
      !['main.ts', 'lifeline.ts'].some((end) => file.name.endsWith(end)),
  )
  expect(wrong.map((file) => file.name)).toEqual([])
})

test('package fronts list their exports by name', () => {
  const wrong = files.filter(
    (file) => file.name.endsWith('/src/index.ts') && /export \* from/.test(file.text),
  )
  expect(wrong.map((file) => file.name)).toEqual([])
})

test('no dependency needs an install script or a compiler', () => {
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { hasInstallScript?: boolean; optional?: boolean }>
  }
  const needing = Object.entries(lock.packages).filter(
    ([, entry]) => entry.hasInstallScript === true && entry.optional !== true,
  )
  // better-sqlite3 ships its builds; its script is never run (DECISIONS 9).
  expect(
    needing.map(([name]) => name.replace(/^node_modules\//, '')).filter((name) => name !== 'better-sqlite3'),
  ).toEqual([])
})

test('the lock file names no registry', () => {
  expect(readFileSync(path.join(root, 'package-lock.json'), 'utf8')).not.toMatch(/https?:\/\/[^"]*\.tgz/)
})

test('every dependency is a decision that is written down', () => {
  const page = readFileSync(path.join(root, 'docs/dependencies.md'), 'utf8')
  const manifests = execFileSync('git', ['ls-files', '*package.json'], { cwd: root, encoding: 'utf8' })
    .trim()
    .split('\n')
  const names = new Set(
    manifests.flatMap((file) => {
      const manifest = JSON.parse(readFileSync(path.join(root, file), 'utf8')) as Record<
        string,
        Record<string, string> | undefined
      >
      return [
        ...Object.keys(manifest['dependencies'] ?? {}),
        ...Object.keys(manifest['devDependencies'] ?? {}),
      ]
    }),
  )
  expect(
    [...names].filter((name) => !name.startsWith('@mallee/') && !page.includes(`\`${name}\``)).toSorted(),
  ).toEqual([])
})

test('every promise of SPECIFICATION.md names a test that exists', () => {
  const text = readFileSync(path.join(root, 'SPECIFICATION.md'), 'utf8')
  const promises = text.split('\n').filter((line) => line.startsWith('- '))
  expect(promises.length).toBeGreaterThan(10)
  for (const promise of promises) {
    const named = [...promise.matchAll(/`((?:apps|packages|test)\/[^`]+\.ts)`/g)].map((match) => match[1]!)
    expect(named.length, promise).toBeGreaterThan(0)
    for (const file of named) expect(existsSync(path.join(root, file)), `${file} of: ${promise}`).toBe(true)
  }
})

test('no path of a machine, and no name of one, is in the tree', () => {
  const wrong = files.filter(
    (file) =>
      /\/work\/(?:main|shared|notes)|\/root\/\.|registry\.npmjs/.test(file.text) &&
      !file.name.startsWith('test/tidy/'),
  )
  expect(wrong.map((file) => file.name)).toEqual([])
})
