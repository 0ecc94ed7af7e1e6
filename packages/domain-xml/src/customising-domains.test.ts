/**
 * The edits of docs/customising-domains.md, done as written there: each is applied to our stylesheet and
 * must change the domain as promised. The shipped examples are run, too. Where a libvirtd can be had, it
 * must take every domain that comes out.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startIsolatedLibvirtd, whyNoIsolatedLibvirtd } from '@mallee/testkit'
import type { IsolatedLibvirtd } from '@mallee/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildInstanceXml } from './instance-xml.ts'
import type { InstanceXml } from './instance-xml-schema.ts'
import { readDomain } from './read-domain.ts'
import { exampleInstance } from './sample-instances.ts'
import { defaultStylesheetPath, exampleHooksDir, exampleTransformsDir } from './shipped-files.ts'
import { transformDomain } from './transform-domain.ts'

const noLibvirtd = whyNoIsolatedLibvirtd()
const noXsltproc = spawnSync('xsltproc', ['--version']).status !== 0
for (const [what, why] of [
  ['libvirt’s own check of documented edits', noLibvirtd],
  ['the documented edits', noXsltproc ? 'xsltproc is not installed' : null],
]) {
  if (why !== null) process.stderr.write(`SKIPPED: ${what}, because ${why}\n`)
}

const doc = readFileSync(join(import.meta.dirname, '../../../docs/customising-domains.md'), 'utf8')

/** The pairs of blocks under "Edit: NAME": what to find, what to put in its place. */
function documentedEdit(name: string): [find: string, replace: string][] {
  const section = doc.split(/^### /m).find((part) => part.startsWith(`Edit: ${name}\n`))!
  const blocks = [...section.matchAll(/```xml\n([\s\S]*?)```/g)].map((m) => m[1]!)
  expect(blocks.length % 2).toBe(0)
  return blocks.flatMap((find, i) => (i % 2 === 0 ? [[find, blocks[i + 1]!] as [string, string]] : []))
}

function edited(stylesheet: string, name: string): string {
  return documentedEdit(name).reduce((text, [find, replace]) => {
    expect(text.split(find), `what "${name}" tells to find`).toHaveLength(2)
    return text.replace(find, () => replace)
  }, stylesheet)
}

const runHook = (name: string, ...args: string[]) =>
  execFileSync('sh', [join(exampleHooksDir, name), ...args], { encoding: 'utf8' })

describe.skipIf(noXsltproc)('docs/customising-domains.md', () => {
  let dir: string
  let daemon: IsolatedLibvirtd | null = null
  const original = readFileSync(defaultStylesheetPath, 'utf8')

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'cd-'))
    if (noLibvirtd === null) daemon = await startIsolatedLibvirtd({ dir: join(dir, 'lv') })
    mkdirSync(join(dir, 'transforms.d'))
  })
  afterAll(async () => {
    await daemon?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  const domainOf = async (stylesheet: string, given: InstanceXml = exampleInstance(dir)) => {
    const instanceXmlPath = join(dir, 'instance.xml')
    const outputPath = join(dir, 'instance-libvirt.xml')
    const stylesheetPath = join(dir, 'libvirt.xsl')
    writeFileSync(instanceXmlPath, buildInstanceXml(given))
    writeFileSync(stylesheetPath, stylesheet)
    const options = { instanceXmlPath, stylesheetPath, transformsDir: join(dir, 'transforms.d'), outputPath }
    const { xml } = await transformDomain({ ...options, timeoutMs: 10_000 })
    if (daemon !== null) {
      // Valid against libvirt's schema, and taken by its QEMU driver.
      await daemon.exec('virsh', ['-c', 'qemu:///system', 'define', '--validate', outputPath])
      await daemon.exec('virsh', ['-c', 'qemu:///system', 'undefine', given.name])
    }
    return xml
  }
  /** Lines that only one of the two has. */
  const difference = async (stylesheet: string) => {
    const [before, after] = [await domainOf(original), await domainOf(stylesheet)].map((xml) =>
      xml.split('\n'),
    )
    return {
      gone: before!.filter((line) => !after!.includes(line)).map((line) => line.trim()),
      added: after!.filter((line) => !before!.includes(line)).map((line) => line.trim()),
    }
  }

  it('has no edit without a test', () => {
    const names = [...doc.matchAll(/^### Edit: (.*)$/gm)].map((m) => m[1])
    expect(names).toEqual(['huge pages', 'legacy IDE', 'page cache', 'a screen to look at'])
  })

  it('huge pages', async () => {
    expect(await difference(edited(original, 'huge pages'))).toEqual({
      gone: [],
      added: ['<memoryBacking>', '<hugepages/>', '</memoryBacking>'],
    })
  })

  it('legacy IDE, by edit and by instance.xml', async () => {
    const xml = await domainOf(edited(original, 'legacy IDE'))
    expect(readDomain(xml).disks).toMatchObject([
      { target: 'hda', bus: 'ide' },
      { target: 'hdb', bus: 'ide' },
    ])
    expect(xml).toContain('root=/dev/sda1 ')
    expect(readDomain(xml).interfaces).toMatchObject([{ model: 'virtio' }])

    const asked = exampleInstance(dir)
    asked.os.virtioRoot = false
    asked.disks.diskPaths = [
      { ...asked.disks.diskPaths[0]!, targetDeviceName: 'hda', targetDeviceBus: 'ide' },
    ]
    const unedited = await domainOf(original, asked)
    expect(readDomain(unedited).disks).toMatchObject([{ target: 'hda', bus: 'ide' }])
    expect(unedited).toContain('root=/dev/sda1 ')
  })

  it('page cache, except where a disk says its own', async () => {
    const given = exampleInstance(dir)
    given.disks.diskPaths[1]!.driverCache = 'unsafe'
    const xml = await domainOf(edited(original, 'page cache'), given)
    expect(readDomain(xml).disks.map(({ cache }) => cache)).toEqual(['writeback', 'unsafe'])
  })

  it('a screen to look at', async () => {
    const { gone, added } = await difference(edited(original, 'a screen to look at'))
    expect({ gone, added }).toEqual({ gone: [], added: [expect.stringContaining('<graphics type="vnc"')] })
  })

  it('all edits together', async () => {
    const all = ['huge pages', 'legacy IDE', 'page cache', 'a screen to look at'].reduce(edited, original)
    expect(readDomain(await domainOf(all)).disks).toMatchObject([{ bus: 'ide', cache: 'writeback' }, {}])
  })

  it('the shipped example transforms', async () => {
    const transformsDir = join(dir, 'transforms.d')
    try {
      const plain = await domainOf(original)
      for (const name of ['50-hyperv-clock.xsl', '60-title.sh']) {
        cpSync(join(exampleTransformsDir, `${name}.example`), join(transformsDir, `${name}.example`))
      }
      expect(await domainOf(original)).toBe(plain)
      for (const name of ['50-hyperv-clock.xsl', '60-title.sh']) {
        cpSync(join(transformsDir, `${name}.example`), join(transformsDir, name))
        chmodSync(join(transformsDir, name), 0o755)
      }
      const { added } = await difference(original)
      expect(added).toEqual([])
      const xml = await domainOf(original)
      expect(xml).toContain('<title>account 000100000001</title>')
      expect(xml).toContain('<timer name="hypervclock" present="yes"/>')
      expect(xml).toContain('<tb-cache')
    } finally {
      rmSync(transformsDir, { recursive: true })
      mkdirSync(transformsDir)
    }
  })

  it('the shipped example hooks', () => {
    expect(runHook('10-log.sh.example', 'euca-nc-pre-boot', '/home', dir)).toContain(
      `euca-nc-pre-boot home='/home' parameter='${dir}'`,
    )
    runHook('20-console-note.sh.example', 'euca-nc-pre-clean', '/', dir)
    runHook('20-console-note.sh.example', 'euca-nc-pre-boot', '/', dir)
    expect(readFileSync(join(dir, 'console.append.log'), 'utf8')).toMatch(/^started on .*Z\n$/)
  })
})
