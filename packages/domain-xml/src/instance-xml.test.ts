import { link, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buildInstanceXml, buildNicXml, emptyInstanceXml, parseInstanceXml } from './instance-xml.ts'
import { instanceXmlPath, readInstanceXml, writeInstanceXml } from './instance-xml-file.ts'
import { exampleInstance, sampleNames, sampleText } from './sample-instances.ts'
import { writeFileAtomically } from './write-file-atomically.ts'
import { elements, find, parseXml } from './xml-tree.ts'

const faultOf = (text: string) => {
  try {
    parseInstanceXml(text)
    return 'none'
  } catch (error) {
    const { fault, path } = error as { fault: string; path?: string }
    return path === undefined ? fault : `${fault} ${path}`
  }
}

describe('instance.xml', () => {
  it('comes back from text as it went', () => {
    const instance = exampleInstance('/x')
    expect(parseInstanceXml(buildInstanceXml(instance))).toEqual(instance)
    expect(
      parseInstanceXml(buildInstanceXml(emptyInstanceXml()).replace('<name/>', '<name>i-1</name>')),
    ).toEqual({
      ...emptyInstanceXml(),
      name: 'i-1',
    })
  })

  it.each(sampleNames)('of Eucalyptus is read, and rewritten without loss: %s', (name) => {
    const instance = parseInstanceXml(sampleText(name))
    expect(instance).toMatchObject({ name: 'i-0a1b2c3d', cores: 1, memoryKB: 524_288, VmType: 'm1.small' })
    expect(parseInstanceXml(buildInstanceXml(instance))).toEqual(instance)
  })

  it('has its elements in the order that Eucalyptus writes', () => {
    const root = parseXml(buildInstanceXml(exampleInstance('/x')))
    const names = elements(root).map(({ name }) => name)
    expect(root.attributes['xml-version']).toBe('2')
    expect(names.join(' ')).toBe(
      'hypervisor backing name uuid reservation user owner account imageId kernelId ramdiskId dnsName ' +
        'privateDnsName instancePath kernel ramdisk xmlFilePath libvirtFilePath consoleLogPath userData ' +
        'launchIndex hasFloppy cpuPassthrough cores memoryKB diskGB VmType NicType NicDevice rootDirective key os ' +
        'groupNames disks vbrs volumes nics states timestamps',
    )
    expect(elements(find(root, 'disks')).map(({ name }) => name)).toEqual([
      'floppyPath',
      'diskPath',
      'root',
      'diskPath',
    ])
  })

  it('leaves out what there is not', () => {
    const { kernel: _kernel, ramdisk: _ramdisk, ...instance } = exampleInstance('/x')
    const text = buildInstanceXml(instance)
    expect(text).not.toMatch(/<kernel>|<ramdisk>/)
    expect(parseInstanceXml(text).kernel).toBeUndefined()
  })

  it('of earlier versions is read', () => {
    const old = parseInstanceXml(
      `<instance><hypervisor type="kvm"/><name>i-1</name><key isKeyInjected="true" sshKey="k"/>
       <volumes><volume><id>vol-1</id><localDevReal>sdf</localDevReal></volume></volumes></instance>`,
    )
    expect(old).toMatchObject({ name: 'i-1', cores: 1, hasFloppy: false, key: { sshKey: 'k' } })
    expect(old.volumes).toEqual([
      expect.objectContaining({ id: 'vol-1', devName: 'sdf', stateName: 'attaching' }),
    ])
  })

  it('that is damaged or impossible is refused with its reason', () => {
    const text = buildInstanceXml(exampleInstance('/x'))
    expect(faultOf(text.slice(0, 700))).toBe('truncated')
    expect(faultOf(text.slice(0, -5))).toBe('truncated')
    expect(faultOf(`${text}${text.slice(-100)}`)).toBe('trailing-data')
    expect(faultOf(`${text}${text}`)).toBe('trailing-data')
    expect(faultOf(text.replace('<cores>', '<core>'))).toBe('not-well-formed')
    expect(faultOf('<domain/>')).toBe('not-an-instance')
    expect(faultOf('<instance xml-version="3"><name>i-1</name></instance>')).toBe('unknown-version')
    expect(faultOf('<instance xml-version="2"/>')).toBe('bad-value /instance/name')
    expect(faultOf(text.replace('<cores>2', '<cores>two'))).toBe('bad-value /instance/cores')
    expect(faultOf(text.replace('type="image"', 'type="imago"'))).toBe(
      'bad-value /instance/backing/root/@type',
    )
    expect(faultOf(text.replace('device="0"', 'device="x"'))).toBe('bad-value /instance/nics/nic[1]/@device')
  })

  it('refuses to be built from what XML cannot carry', () => {
    const instance = { ...exampleInstance('/x'), userData: 'a\0b' }
    expect(() => buildInstanceXml(instance)).toThrow(expect.objectContaining({ name: 'InstanceXmlError' }))
  })

  it('has a stub for a single interface', () => {
    const [nic] = exampleInstance('/x').nics
    expect(parseXml(buildNicXml(nic!))).toMatchObject({
      name: 'nic',
      attributes: { 'xml-version': '2', mac: 'd0:0d:00:00:00:01', device: '0', mtu: '1450' },
    })
  })
})

describe('on disk', () => {
  let dir: string
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ix-'))
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))
  const named = (name: string) => exampleInstance(dir, name)

  it('keeps the copy before, and leaves nothing else', async () => {
    for (const name of ['i-1', 'i-2', 'i-3']) await writeInstanceXml(dir, named(name))
    expect(await readInstanceXml(dir)).toMatchObject({
      instance: { name: 'i-3' },
      source: 'current',
      fault: null,
    })
    expect((await readdir(dir)).toSorted()).toEqual(['instance.xml', 'instance.xml.previous'])
    expect(parseInstanceXml(await readFile(join(dir, 'instance.xml.previous'), 'utf8')).name).toBe('i-2')
  })

  it('falls back to the copy before, and does not replace that one by a broken one', async () => {
    await writeInstanceXml(dir, named('i-1'))
    await writeInstanceXml(dir, named('i-2'))
    await writeFile(instanceXmlPath(dir), '<instance><name>i-')
    const read = await readInstanceXml(dir)
    expect(read).toMatchObject({
      instance: { name: 'i-1' },
      source: 'previous',
      fault: { fault: 'truncated' },
    })
    await writeInstanceXml(dir, named('i-3'))
    await rm(instanceXmlPath(dir))
    expect(await readInstanceXml(dir)).toMatchObject({ instance: { name: 'i-1' }, source: 'previous' })
  })

  it('takes the whole document from a file that was written in place over a longer one', async () => {
    const longer = buildInstanceXml({ ...named('i-1'), userData: 'x'.repeat(500) })
    const shorter = buildInstanceXml(named('i-2'))
    await writeFile(instanceXmlPath(dir), shorter + longer.slice(shorter.length))
    expect(await readInstanceXml(dir)).toMatchObject({ instance: { name: 'i-2' }, source: 'salvaged' })
  })

  it('says why when there is nothing to read', async () => {
    await expect(readInstanceXml(dir)).rejects.toMatchObject({ code: 'ENOENT' })
    await writeFile(instanceXmlPath(dir), '')
    await expect(readInstanceXml(dir)).rejects.toMatchObject({ name: 'InstanceXmlError', fault: 'truncated' })
  })

  it('a machine that stopped between keeping and replacing leaves no litter at the next write', async () => {
    await writeInstanceXml(dir, named('i-1'))
    await link(instanceXmlPath(dir), join(dir, 'instance.xml.previous'))
    await writeInstanceXml(dir, named('i-2'))
    expect((await readdir(dir)).toSorted()).toEqual(['instance.xml', 'instance.xml.previous'])
    expect(await readInstanceXml(dir)).toMatchObject({ instance: { name: 'i-2' } })
  })

  it('a failed write leaves the old file and nothing else', async () => {
    const path = join(dir, 'f')
    await writeFileAtomically(path, 'old')
    await expect(writeFileAtomically(path, 'new', { keepAs: join(dir, 'missing', 'f') })).rejects.toThrow(
      /ENOENT/,
    )
    expect(await readFile(path, 'utf8')).toBe('old')
    expect(await readdir(dir)).toEqual(['f'])
  })
})
