import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { tmpdir } from 'node:os'
import { describe, expect, onTestFinished, test } from 'vitest'
import { root } from './source-tree.ts'

const dir = path.join(root, 'systemd')
const units = readdirSync(dir).filter((name) => name.endsWith('.service'))
const settingsOf = (name: string) =>
  readFileSync(path.join(dir, name), 'utf8')
    .split('\n')
    .filter((line) => /^\w+=/.test(line))
const unprivileged = units.filter(
  (name) => !['mallee.service', 'mallee-node-controller.service'].includes(name),
)

describe.each(units)('%s', (name) => {
  const settings = settingsOf(name)
  test('runs files that this checkout has, and is restarted', () => {
    const start = settings.find((line) => line.startsWith('ExecStart='))!
    const named = [...start.matchAll(/\/opt\/mallee\/([\w./-]+)/g)].map((match) => match[1]!)
    const ours = named.filter((file) => !file.startsWith('.mallee/')) // that is fetched by ./mallee
    expect(ours.filter((file) => !existsSync(path.join(root, file)))).toEqual([])
    expect(settings).toContain(name === 'mallee.service' ? 'Restart=on-failure' : 'Restart=always')
  })
})

test('what runs beside guests ends no other process when it is stopped', () => {
  for (const name of ['mallee.service', 'mallee-node-controller.service'])
    expect(settingsOf(name)).toContain('KillMode=process')
})

test('what makes namespaces has no mounts of its own, in which they would be lost with it', () => {
  const mounts =
    /^(?:Protect|Private|Inaccessible|ReadOnly|ReadWrite|Bind|Temporary|Mount|RootDir|RootImage|DynamicUser)/
  for (const name of ['mallee.service', 'mallee-node-controller.service'])
    expect(settingsOf(name).filter((line) => mounts.test(line))).toEqual([])
})

test.each(unprivileged)('%s holds no capability and sees no device', (name) => {
  const settings = settingsOf(name)
  for (const line of [
    'CapabilityBoundingSet=',
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    'PrivateDevices=yes',
  ])
    expect(settings).toContain(line)
})

const analyze = spawnSync('systemd-analyze', ['--version']).status === 0
test.skipIf(!analyze)('systemd itself finds nothing wrong with them', () => {
  const at = mkdtempSync(path.join(tmpdir(), 'units-'))
  onTestFinished(() => rmSync(at, { recursive: true }))
  const program = path.join(at, 'program')
  writeFileSync(program, '#!/bin/sh\n')
  chmodSync(program, 0o755)
  mkdirSync(path.join(at, 'units'))
  for (const name of units) {
    const text = readFileSync(path.join(dir, name), 'utf8')
      .replaceAll(/^Restart(Steps|MaxDelaySec)=.*\n/gm, '')
      .replaceAll(/^Exec(Start|Stop)=\S+/gm, `Exec$1=${program}`)
      .replaceAll(/^Documentation=.*\n/gm, '')
      .replaceAll(/^(Wants|After)=.*\n/gm, '')
    writeFileSync(path.join(at, 'units', name), text)
  }
  const files = units.map((name) => path.join(at, 'units', name))
  const said = spawnSync('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', ...files], {
    encoding: 'utf8',
  })
  expect(said.stderr.split('\n').filter((line) => line.includes(at))).toEqual([])
})

test.skipIf(!analyze)('systemd calls the unprivileged ones well protected', () => {
  for (const name of unprivileged) {
    const text = execFileSync(
      'systemd-analyze',
      ['security', '--offline=true', '--no-pager', path.join(dir, name)],
      { encoding: 'utf8' },
    )
    const exposure = Number(/exposure level for \S+: ([\d.]+)/.exec(text)?.[1])
    expect(exposure).toBeLessThan(3)
  }
})
