import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { root } from './source-tree.ts'

const page = readFileSync(path.join(root, 'docs/admin/troubleshoot.md'), 'utf8')
const source = (...parts: string[]) =>
  readFileSync(path.join(root, 'apps/cloud-controller/src', ...parts), 'utf8')

test('every reason for which a node is refused is explained to the administrator', () => {
  const [, union = ''] = /export type RefusalReason =([^]*?)\n\n/.exec(source('scheduler/judge-node.ts'))!
  const reasons = [...union.matchAll(/'([a-z-]+)'/g)].map((match) => match[1]!)
  expect(reasons.length).toBeGreaterThan(5)
  expect(reasons.filter((reason) => !page.includes(`\`${reason}\``))).toEqual([])
})

test('every kind of finding of fsck is explained to the administrator', () => {
  const files = readdirSync(path.join(root, 'apps/cloud-controller/src/fsck')).filter(
    (name) => name.startsWith('check-') && !name.endsWith('.test.ts'),
  )
  const codes = files.flatMap((name) =>
    [...source('fsck', name).matchAll(/'((?:I\d+|R|S|A))\.[a-z-]+'/g)].map((match) => match[1]!),
  )
  expect(codes.length).toBeGreaterThan(5)
  expect([...new Set(codes)].filter((code) => !page.includes(`| \`${code}\` |`))).toEqual([])
})
