import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { root, sourceFiles, workspaceOf } from './source-tree.ts'

/** A workspace imports from lower floors only; never sideways. docs/architecture.md draws them. */
const floors: Readonly<Record<string, number>> = {
  'packages/base': 0,
  'packages/aws-protocol': 1,
  'packages/lifecycles': 1,
  'packages/domain-xml': 1,
  'packages/libvirt': 1,
  'packages/pki': 1,
  'packages/image-bundle': 1,
  'packages/volume-snapshots': 1,
  'packages/iam-policy': 1,
  'packages/session-token': 1,
  'packages/ec2-api': 2,
  'packages/ebs-api': 2,
  'packages/iam-api': 2,
  'packages/governance-api': 2,
  'packages/s3-api': 2,
  'packages/agent-contract': 2,
  'packages/soap': 2,
  'packages/eucalyptus-api': 2,
  'packages/state-store': 3,
  'packages/workflow': 3,
  'packages/agent-kit': 3,
  'packages/service-kit': 3,
  'packages/front-door': 4,
  'apps/cloud-controller': 4,
  'apps/node-controller': 4,
  'apps/storage-controller': 4,
  'apps/walrus': 4,
  'apps/mallee': 5,
  'packages/testkit': 6,
  test: 7,
  bench: 7,
}

const files = sourceFiles()
const isTest = (name: string) =>
  name.endsWith('.test.ts') || /\/(?:test|contracts)\//.test(name) || name.startsWith('test/')

test('every workspace has a floor', () => {
  expect(
    [...new Set(files.map((file) => workspaceOf(file.name)))].filter((name) => !(name in floors)),
  ).toEqual([])
})

test('imports go down and never sideways', () => {
  const wrong: string[] = []
  for (const file of files) {
    const own = workspaceOf(file.name)
    for (const specifier of file.imports) {
      const match = /^@mallee\/([a-z0-9-]+)(\/.*)?$/.exec(specifier)
      if (!match) continue
      const target = [`packages/${match[1]}`, `apps/${match[1]}`].find((name) => name in floors)
      if (!target || match[2]) wrong.push(`${file.name} imports ${specifier}, which is no workspace's front`)
      else if (target === own) wrong.push(`${file.name} imports its own workspace by name`)
      else if (!isTest(file.name) && floors[target]! >= floors[own]!) {
        wrong.push(`${file.name}: floor ${floors[own]} may not import floor ${floors[target]} (${specifier})`)
      }
    }
  }
  expect(wrong).toEqual([])
})

test('relative imports stay inside their workspace', () => {
  const wrong: string[] = []
  for (const file of files) {
    for (const specifier of file.imports.filter((name) => name.startsWith('.'))) {
      const target = path.posix.normalize(path.posix.join(path.posix.dirname(file.name), specifier))
      if (workspaceOf(target) !== workspaceOf(file.name)) wrong.push(`${file.name} reaches into ${target}`)
    }
  }
  expect(wrong).toEqual([])
})

test('no cycle of files', () => {
  const graph = new Map(
    files.map((file) => [
      file.name,
      importsAtRunTime(file.text)
        .filter((name) => name.startsWith('.'))
        .map((name) => path.posix.normalize(path.posix.join(path.posix.dirname(file.name), name))),
    ]),
  )
  const cycles: string[] = []
  const done = new Set<string>()
  const visit = (name: string, trail: string[]): void => {
    if (trail.includes(name)) {
      cycles.push([...trail.slice(trail.indexOf(name)), name].join(' -> '))
      return
    }
    if (done.has(name)) return
    for (const next of graph.get(name) ?? []) visit(next, [...trail, name])
    done.add(name)
  }
  for (const name of graph.keys()) visit(name, [])
  expect(cycles).toEqual([])
})

/** Types vanish before the program runs: two files may know each other's. */
function importsAtRunTime(text: string): string[] {
  return [...text.matchAll(/^(?:import|export)(?! type)[^'"]*?from '([^']+)'/gm)].map((match) => match[1]!)
}

test('inside the cloud controller, actions know no loops and views know no actions', () => {
  const rules: [RegExp, RegExp][] = [
    [/^apps\/cloud-controller\/src\/actions\//, /reconcilers\/|sagas\/|http\//],
    [/^apps\/cloud-controller\/src\/views\//, /actions\/|reconcilers\/|http\//],
    [/^apps\/cloud-controller\/src\/store\//, /actions\/|reconcilers\/|http\/|views\//],
    [/^apps\/cloud-controller\/src\/scheduler\//, /actions\/|store\/|reconcilers\/|http\//],
    [/^apps\/cloud-controller\/src\/reconcilers\//, /actions\/|http\//],
  ]
  const wrong = files.flatMap((file) =>
    rules
      .filter(([from]) => from.test(file.name) && !isTest(file.name))
      .flatMap(([, banned]) =>
        file.imports.filter((name) => banned.test(name)).map((name) => `${file.name} imports ${name}`),
      ),
  )
  expect(wrong).toEqual([])
})

test('a workspace declares what it imports', () => {
  const wrong: string[] = []
  for (const own of Object.keys(floors).filter((name) => name.includes('/'))) {
    const manifest = JSON.parse(readFileSync(path.join(root, own, 'package.json'), 'utf8')) as Record<
      string,
      Record<string, string>
    >
    const declared = { ...manifest['dependencies'], ...manifest['devDependencies'] }
    const shipped = files.filter((file) => workspaceOf(file.name) === own && !isTest(file.name))
    for (const file of shipped) {
      for (const specifier of file.imports) {
        if (specifier.startsWith('.') || specifier.startsWith('node:')) continue
        const name = specifier
          .split('/')
          .slice(0, specifier.startsWith('@') ? 2 : 1)
          .join('/')
        if (!(name in declared) && own !== 'packages/testkit' && !file.name.includes('/tools/'))
          wrong.push(`${file.name} imports ${name}`)
      }
    }
  }
  expect(wrong).toEqual([])
})
