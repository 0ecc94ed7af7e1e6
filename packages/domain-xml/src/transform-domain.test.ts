import { chmod, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buildInstanceXml, buildNicXml } from './instance-xml.ts'
import type { InstanceXml } from './instance-xml-schema.ts'
import { readDomain } from './read-domain.ts'
import { exampleInstance, sampleNames, samplePath, sampleText } from './sample-instances.ts'
import { defaultStylesheetPath } from './shipped-files.ts'
import { listTransforms } from './transform-chain.ts'
import { transformDevice, transformDomain } from './transform-domain.ts'
import { canonicalXml } from './xml-tree.ts'

const hasXsltproc = spawnSync('xsltproc', ['--version']).status === 0
if (!hasXsltproc) process.stderr.write('SKIPPED: the stylesheet tests, because xsltproc is not installed\n')

const stylesheet = (body: string, attributes = '') =>
  `<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" ${attributes}>${body}</xsl:stylesheet>`
const copying = (rule: string) =>
  stylesheet(
    `<xsl:template match="@*|node()"><xsl:copy><xsl:apply-templates select="@*|node()"/></xsl:copy></xsl:template>${rule}`,
  )

const failing = (promise: Promise<unknown>) =>
  promise.then(
    () => {
      throw new Error('it went well')
    },
    (error) => error as { name: string; stage: string; file: string; stderr: string; message: string },
  )

const disk = (target: string) =>
  `<disk type="block"><driver cache="none" name="qemu"/><source dev="/dev/x"/>${target}<serial>vol-1-dev-sdf</serial></disk>`

describe.skipIf(!hasXsltproc)('the way from instance.xml to the domain', () => {
  let dir: string
  let transformsDir: string
  let outputPath: string
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tx-'))
    transformsDir = join(dir, 'transforms.d')
    outputPath = join(dir, 'instance-libvirt.xml')
    await mkdir(transformsDir)
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  const transform = async (given: InstanceXml | string, stylesheetText?: string, timeoutMs = 10_000) => {
    const instanceXmlPath = join(dir, 'instance.xml')
    await writeFile(instanceXmlPath, typeof given === 'string' ? given : buildInstanceXml(given))
    const stylesheetPath = stylesheetText === undefined ? defaultStylesheetPath : join(dir, 'libvirt.xsl')
    if (stylesheetText !== undefined) await writeFile(stylesheetPath, stylesheetText)
    return transformDomain({ instanceXmlPath, stylesheetPath, transformsDir, outputPath, timeoutMs })
  }
  const program = async (name: string, body: string) => {
    await writeFile(join(transformsDir, name), `#!/bin/sh\n${body}\n`)
    await chmod(join(transformsDir, name), 0o755)
  }
  describe('our stylesheet', () => {
    it.each(sampleNames)('gives what Eucalyptus gave: %s', async (name) => {
      const { xml } = await transform(sampleText(name))
      expect(canonicalXml(xml)).toBe(canonicalXml(sampleText(`${name}.libvirt`)))
      expect(await readFile(outputPath, 'utf8')).toBe(xml)
    })

    it('is what plain xsltproc gives', async () => {
      const { xml } = await transform(sampleText('instance-ebs'))
      const { stdout } = spawnSync('xsltproc', [defaultStylesheetPath, samplePath('instance-ebs')], {
        encoding: 'utf8',
      })
      expect(xml).toBe(stdout)
    })

    it('adds only what new attributes ask for', async () => {
      const { xml } = await transform(exampleInstance(dir))
      const domain = readDomain(xml)
      expect(domain).toMatchObject({
        type: 'qemu',
        memoryKib: 131_072,
        vcpus: 2,
        kernel: `${dir}/link-to-kernel`,
      })
      expect(domain.uuid).toBeNull()
      expect(domain.serialLogPath).toBe(`${dir}/console.log`)
      expect(domain.disks).toMatchObject([
        { target: 'vda', bus: 'virtio', driverType: 'qcow2', cache: 'none', source: `${dir}/link-to-sda` },
        { target: 'vdb', bus: 'virtio', driverType: 'raw', cache: 'writeback', serial: null },
      ])
      expect(domain.interfaces).toMatchObject([
        { bridge: 'br-test', tap: 'vn_test', model: 'virtio', mtu: 1450, mac: 'd0:0d:00:00:00:01' },
      ])
      expect(xml).toContain('<tb-cache unit="MiB">32</tb-cache>')
      expect(xml).toContain('<model type="vga"/>')
      expect(xml).toContain('discard="unmap"')
      expect(xml).toContain('root=/dev/vda1 console=ttyS0')
    })

    it('bounds the emulator only where there is one', async () => {
      const instance = exampleInstance(dir)
      instance.hypervisor.type = 'kvm'
      instance.cpuPassthrough = true
      const { xml } = await transform(instance)
      expect(xml).not.toContain('tb-cache')
      expect(xml).toContain('<cpu mode="host-passthrough">')
    })

    it('leaves legacy disks and interfaces on what they ask for', async () => {
      const instance = exampleInstance(dir)
      instance.os = { ...instance.os, virtioRoot: false, virtioNetwork: false }
      instance.nics[0]!.osVirtioNetwork = false
      const [disk] = instance.disks.diskPaths
      instance.disks.diskPaths = [{ ...disk!, targetDeviceName: 'hda', targetDeviceBus: 'ide' }]
      const { xml } = await transform(instance)
      expect(readDomain(xml)).toMatchObject({
        disks: [{ target: 'hda', bus: 'ide' }],
        interfaces: [{ model: null }],
      })
      expect(xml).toContain('root=/dev/sda1 ')
      expect((await transform({ ...instance, rootDirective: 'LABEL=x' })).xml).toContain('root=LABEL=x ')
    })

    it('refuses what it cannot make a domain of, saying why', async () => {
      const xen = exampleInstance(dir)
      xen.hypervisor.type = 'xen'
      expect(await failing(transform(xen))).toMatchObject({
        name: 'DomainXmlError',
        stage: 'stylesheet',
        file: defaultStylesheetPath,
        stderr: expect.stringContaining('neither kvm nor qemu'),
      })
      const rootless = exampleInstance(dir)
      rootless.backing.root.type = 'unknown'
      expect(await failing(transform(rootless))).toMatchObject({
        stderr: expect.stringContaining("root 'unknown'"),
      })
      expect(await readdir(dir)).not.toContain('instance-libvirt.xml')
    })

    it('makes a single interface, and a single volume', async () => {
      const options = { stylesheetPath: defaultStylesheetPath, transformsDir, timeoutMs: 10_000 }
      const nic = await transformDevice({ kind: 'interface', inputXml: sampleText('nic'), ...options })
      expect(canonicalXml(nic.xml)).toBe(
        canonicalXml(`<interface type="bridge"><source bridge="br0"/><mac address="d0:0d:aa:bb:cc:dd"/>
          <target dev="vn_eni-aabbcc"/><model type="virtio"/></interface>`),
      )
      const own = await transformDevice({
        kind: 'interface',
        inputXml: buildNicXml(exampleInstance(dir).nics[0]!),
        ...options,
      })
      expect(own.xml).toContain('slot="0x02"')

      const diskPath = `<diskPath targetDeviceType="disk" targetDeviceName="sdf" targetDeviceBus="scsi" sourceType="block" serial="vol-1-dev-sdf">/dev/x</diskPath>`
      const stub = (virtio: boolean) =>
        `<volume><id>vol-1</id><os platform="linux" virtioDisk="${virtio}"/>${diskPath}</volume>`
      const virtio = await transformDevice({ kind: 'disk', inputXml: stub(true), ...options })
      expect(canonicalXml(virtio.xml)).toBe(canonicalXml(disk('<target bus="virtio" dev="vdf"/>')))
      const scsi = await transformDevice({ kind: 'disk', inputXml: stub(false), ...options })
      expect(canonicalXml(scsi.xml)).toBe(canonicalXml(disk('<target bus="scsi" dev="sdf"/>')))
      const finished = disk('<target bus="virtio" dev="vdg"/>')
      const stubOfFinished = `<volume><libvirt>${finished}</libvirt></volume>`
      expect(
        canonicalXml((await transformDevice({ kind: 'disk', inputXml: stubOfFinished, ...options })).xml),
      ).toBe(canonicalXml(finished))
      const past = await transformDevice({
        kind: 'disk',
        inputXml: finished,
        ...options,
        stylesheetPath: null,
      })
      expect(past).toEqual({ xml: finished, steps: [] })
    })
  })

  describe('an admin’s stylesheet', () => {
    it.each([
      ['that is broken', '<xsl:stylesheet', 'parser error'],
      [
        'that asks the network',
        copying(
          `<xsl:template match="/"><domain><name>i-1</name><xsl:copy-of select="document('http://127.0.0.1:9/')"/></domain></xsl:template>`,
        ),
        'network entity',
      ],
      [
        'that imports from the network',
        stylesheet('<xsl:import href="http://127.0.0.1:9/x.xsl"/>'),
        'network entity',
      ],
      [
        'that reads what is not there',
        copying(
          `<xsl:template match="/"><domain><name><xsl:value-of select="document('/nonexistent.xml')"/></name></domain></xsl:template>`,
        ),
        'external entity',
      ],
      [
        'that calls itself for ever',
        stylesheet('<xsl:template match="/" name="t"><xsl:call-template name="t"/></xsl:template>'),
        'recursion',
      ],
      [
        'that gives up',
        stylesheet(
          '<xsl:template match="/"><xsl:message terminate="yes">not today</xsl:message></xsl:template>',
        ),
        'not today',
      ],
    ])('%s fails the launch', async (_, text, said) => {
      expect(await failing(transform(exampleInstance(dir), text))).toMatchObject({
        name: 'DomainXmlError',
        stage: 'stylesheet',
        file: join(dir, 'libvirt.xsl'),
        stderr: expect.stringContaining(said),
      })
      expect(await readdir(dir)).not.toContain('instance-libvirt.xml')
    })

    it('that writes files fails, and has written none', async () => {
      const text = stylesheet(
        `<xsl:template match="/"><domain/><e:document href="${dir}/written.xml"><a/></e:document></xsl:template>`,
        'xmlns:e="http://exslt.org/common" extension-element-prefixes="e"',
      )
      expect(await failing(transform(exampleInstance(dir), text))).toMatchObject({
        stderr: expect.stringContaining('denied'),
      })
      expect(await readdir(dir)).not.toContain('written.xml')
    })

    it('that hangs is ended', async () => {
      // Doubles a string for ever without recursion deep enough to be noticed.
      const text = stylesheet(
        `<xsl:template match="/"><xsl:for-each select="//node()"><xsl:for-each select="//node()"><xsl:for-each select="//node()"><xsl:for-each select="//node()"><x/></xsl:for-each></xsl:for-each></xsl:for-each></xsl:for-each></xsl:template>`,
      )
      expect(await failing(transform(exampleInstance(dir), text, 300))).toMatchObject({
        stage: 'stylesheet',
        message: expect.stringMatching(/within 300 ms|more than/),
      })
    })

    it.each([
      ['another root', '<network/>', /<network>, not <domain>/],
      ['nothing', '', /not well-formed/],
      [
        'another name',
        '<domain><name>i-2</name></domain>',
        /called 'i-2', the instance 'i-0123456789abcdef0'/,
      ],
    ])('that gives %s fails the launch', async (_, body, said) => {
      const text = stylesheet(`<xsl:template match="/">${body}</xsl:template>`)
      expect((await failing(transform(exampleInstance(dir), text))).message).toMatch(said)
      expect(await readdir(dir)).not.toContain('instance-libvirt.xml')
    })

    it('may say things without failing', async () => {
      const text = copying(
        `<xsl:template match="/"><xsl:message>by the way</xsl:message><domain><name><xsl:value-of select="instance/name"/></name></domain></xsl:template>`,
      )
      expect(readDomain((await transform(exampleInstance(dir), text)).xml).name).toBe('i-0123456789abcdef0')
    })

    it('that is missing, like an instance.xml that is damaged, is named', async () => {
      const missing = { stylesheetPath: join(dir, 'none.xsl'), transformsDir, outputPath, timeoutMs: 10_000 }
      const instanceXmlPath = samplePath('instance-ebs')
      expect(await failing(transformDomain({ instanceXmlPath, ...missing }))).toMatchObject({
        file: join(dir, 'none.xsl'),
      })
      expect(await failing(transform('<instance>'))).toMatchObject({
        stage: 'input',
        file: join(dir, 'instance.xml'),
      })
    })
  })

  describe('transforms.d', () => {
    it('runs in the order of names, stylesheets and programs alike', async () => {
      await program('20-b.sh', `sed 's|</description>|, b&|'`)
      await writeFile(
        join(transformsDir, '10-a.xsl'),
        copying(
          `<xsl:template match="/domain/description/text()"><xsl:value-of select="."/>, a</xsl:template>`,
        ),
      )
      await program(
        '30-c',
        `[ "$1" = domain ] && grep -q '<account>000100000001' "$MALLEE_INSTANCE_XML" && sed 's|</description>|, c&|'`,
      )
      const { xml, steps } = await transform(exampleInstance(dir))
      expect(xml).toContain('<description>Eucalyptus instance i-0123456789abcdef0, a, b, c</description>')
      expect(steps.map((file) => file.split('/').at(-1))).toEqual([
        'libvirt.xsl',
        '10-a.xsl',
        '20-b.sh',
        '30-c',
      ])
    })

    it('passes over what is not meant', async () => {
      for (const name of [
        'README',
        '10-a.sh.bak',
        '10-b.sh~',
        '.10-c.sh',
        '5-d.sh',
        '10-e.xsl.dpkg-old',
        '10 f.sh',
      ]) {
        await program(name, 'exit 1')
      }
      await writeFile(join(transformsDir, '10-not-executable.sh'), 'exit 1')
      await mkdir(join(transformsDir, '10-folder'))
      await symlink('/nonexistent', join(transformsDir, '10-dangling'))
      expect(await listTransforms(transformsDir)).toEqual([])
      expect(await listTransforms(join(dir, 'none'))).toEqual([])
    })

    it.each([
      ['fails', 'echo no luck >&2; exit 3', /ended with 3: no luck/],
      ['is killed', 'kill -9 $$', /was ended by SIGKILL/],
      ['says nothing', 'cat > /dev/null', /not well-formed/],
      ['gives no domain', 'echo "<network/>"', /not <domain>/],
      ['does not end', 'sleep 1000 & wait', /did not end within 1500 ms/],
      ['never stops talking', 'exec yes', /did not end|more than/],
      ['changes the name', `sed 's|<name>.*</name>|<name>other</name>|'`, /called 'other'/],
    ])('fails the launch when a program %s', async (_, body, said) => {
      await program('10-p.sh', body)
      // The stylesheet's step has the same time: enough for it on a busy machine.
      const error = await failing(transform(exampleInstance(dir), undefined, 1_500))
      expect(error).toMatchObject({ name: 'DomainXmlError', file: join(transformsDir, '10-p.sh') })
      expect(error.message).toMatch(said)
      expect(await readdir(dir)).not.toContain('instance-libvirt.xml')
    })

    it('leaves no process of a program that did not end', async () => {
      await program('10-p.sh', `sleep 1000 & echo $! > ${dir}/pid; wait`)
      await failing(transform(exampleInstance(dir), undefined, 1_500))
      const pid = (await readFile(join(dir, 'pid'), 'utf8')).trim()
      const state = await readFile(`/proc/${pid}/stat`, 'utf8').then(
        (stat) => stat.split(' ')[2],
        () => 'gone',
      )
      expect(['Z', 'X', 'gone']).toContain(state)
    })

    it('need not read what it is given', async () => {
      await program('10-p.sh', `echo '<disk/>'`)
      const inputXml = `<disk>${'<x/>'.repeat(100_000)}</disk>`
      const options = { stylesheetPath: null, transformsDir, timeoutMs: 10_000 }
      expect((await transformDevice({ kind: 'disk', inputXml, ...options })).xml).toBe('<disk/>\n')
    })

    it('serves interfaces and disks, too', async () => {
      await program('10-p.sh', `echo "$1 $MALLEE_KIND" >> ${dir}/kinds; cat`)
      const options = { stylesheetPath: null, transformsDir, timeoutMs: 10_000 }
      await transformDevice({ kind: 'disk', inputXml: '<disk/>', ...options })
      await transformDevice({ kind: 'interface', inputXml: '<interface/>', ...options })
      expect(await readFile(join(dir, 'kinds'), 'utf8')).toBe('disk disk\ninterface interface\n')
      expect(
        await failing(transformDevice({ kind: 'disk', inputXml: '<interface/>', ...options })),
      ).toMatchObject({
        stage: 'input',
      })
    })
  })
})
