import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { root, sourceFiles } from './source-tree.ts'

const longestFile = 500
const longestFunction = 70
const files = sourceFiles()

test('no file is longer than one idea needs', () => {
  expect(
    files.filter((file) => file.lines > longestFile).map((file) => `${file.name}: ${file.lines} lines`),
  ).toEqual([])
})

test('no function is longer than a screen', () => {
  const allowed = new Set(
    readFileSync(path.join(root, 'test/tidy/long-functions.txt'), 'utf8').split('\n').filter(Boolean),
  )
  const long = files
    .filter((file) => !file.name.endsWith('.test.ts') && !file.name.includes('/contracts/'))
    .flatMap((file) => longFunctions(file.text).map((name) => `${file.name} ${name}`))
  expect(long.filter((entry) => !allowed.has(entry))).toEqual([])
  expect(
    [...allowed].filter((entry) => !long.includes(entry)),
    'entries that are no longer needed',
  ).toEqual([])
})

/** Functions by their indentation: the formatter closes each where it began. */
function longFunctions(text: string): string[] {
  const lines = text.split('\n')
  const found: string[] = []
  for (const [index, line] of lines.entries()) {
    const match =
      /^(\s*)(?:export )?(?:default )?(?:async )?(?:function\*? (\w+)|(?:private |protected |override |static )*(?:async )?(\w+)\([^;]*\{$)/.exec(
        line,
      )
    const name = match?.[2] ?? match?.[3]
    if (
      !match ||
      !name ||
      ['if', 'for', 'while', 'switch', 'catch', 'describe', 'test', 'constructor'].includes(name)
    )
      continue
    const end = lines.findIndex(
      (candidate, at) =>
        at > index && candidate.startsWith(`${match[1]}}`) && !candidate.startsWith(`${match[1]}} `),
    )
    if (end > 0 && end - index + 1 > longestFunction) found.push(name)
  }
  return found
}

test('names say what files hold', () => {
  const banned = files.filter((file) => /(?:^|\/)(?:utils?|helpers?|misc|common)\.ts$/.test(file.name))
  expect(banned.map((file) => file.name)).toEqual([])
  const inside = files.filter((file) => /^apps\/.*\/index\.ts$/.test(file.name))
  expect(inside.map((file) => file.name)).toEqual([])
  const camel = files.filter((file) => /[A-Z]/.test(path.basename(file.name)))
  expect(camel.map((file) => file.name)).toEqual([])
})

test('no file is dead: each is imported, run or a test', () => {
  const roots =
    /(?:\.test|\/main|-main)\.ts$|^test\/|^bench\/|\/tools\/|\/test\/|\/contracts\/|vitest\.config/
  const imported = new Set(
    files.flatMap((file) =>
      file.imports
        .filter((name) => name.startsWith('.'))
        .map((name) => path.posix.normalize(path.posix.join(path.posix.dirname(file.name), name))),
    ),
  )
  const manifests = new Set(
    files.map((file) => file.name).filter((name) => /src\/(?:index|app)\.ts$/.test(name)),
  )
  const dead = files.filter(
    (file) => !roots.test(file.name) && !imported.has(file.name) && !manifests.has(file.name),
  )
  expect(dead.map((file) => file.name)).toEqual([])
})
