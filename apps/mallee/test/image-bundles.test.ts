import { execFileSync } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSigningCertificate } from '@mallee/pki'
import { AwsClient, type XmlAnswer } from '../src/cloud-client.ts'
import { waitForImage } from '../src/commands/image.ts'
import { bundleFile, type BundleChoices } from '../src/images/bundle-file.ts'
import { diskFormats } from '../src/images/convert-disk.ts'
import { downloadImage } from '../src/images/download-image.ts'
import type { ImageTools } from '../src/images/image-tools.ts'
import { unbundleSource } from '../src/images/unbundle-source.ts'
import type { Layout } from '../src/layout.ts'
import { DaemonsUnderTest } from './daemons-under-test.ts'

const MiB = 1024 * 1024
const bucket = 'bundles'
let daemons: DaemonsUnderTest
let tools: ImageTools
let location = ''
let imageId = ''
const file = (...parts: string[]) => path.join(daemons.dir, 'files', ...parts)

/** A disk of noise and holes behind a partition table. */
function makeDisk(): Buffer {
  const disk = Buffer.alloc(36 * MiB)
  randomBytes(21 * MiB).copy(disk, 2 * MiB)
  disk.writeUInt16LE(0xaa55, 510)
  disk[446 + 4] = 0x83
  disk.writeUInt32LE(2048, 454)
  disk.writeUInt32LE(4096, 458)
  return disk
}

beforeAll(async () => {
  daemons = await DaemonsUnderTest.start()
  mkdirSync(file())
  writeFileSync(file('disk.img'), makeDisk())
  const layout = {
    ports: { door: Number(new URL(daemons.endpoint).port) },
    doorAddress: '127.0.0.1',
    choices: { region: 'us-east-1' },
  } as unknown as Layout
  const credentials = { canonicalId: '', ...daemons.credentials }
  tools = {
    client: new AwsClient(layout, credentials),
    accountId: credentials.accountId,
    admin: (method, route, body) => daemons.admin(method, route, body),
  }
}, 90_000)
afterAll(() => daemons?.stop())

const bundle = (more: Partial<BundleChoices> = {}, using = tools) =>
  bundleFile(using, {
    ...{ file: file('disk.img'), bucket, prefix: 'daily/web 1', kind: 'machine', architecture: 'x86_64' },
    ...{ kernelId: null, ramdiskId: null, certificateFile: null, privateKeyFile: null },
    ...more,
  })
const disk = () => readFileSync(file('disk.img'))
const isThere = async (key: string) => {
  const object = await tools.client.getObject(bucket, key)
  object?.destroy()
  return object !== null
}

describe('a file', () => {
  test('is bundled, uploaded, registered and launched', async () => {
    location = await bundle()
    expect(location).toBe('bundles/daily/web 1.manifest.xml')
    expect(await isThere('daily/web 1.part.02')).toBe(true)
    const answer = await tools.client.ec2('RegisterImage', { Name: 'web', ImageLocation: location })
    imageId = answer.imageId as string
    await waitForImage(tools.client, imageId)
    await tools.client.ec2('RunInstances', { ImageId: imageId, MinCount: 1, MaxCount: 1 })
    await daemons.eventually(async () => {
      const { reservationSet } = await tools.client.ec2('DescribeInstances')
      const [instance] = (reservationSet.item as XmlAnswer[]).map((one) => one.instancesSet.item[0])
      return instance.imageId === imageId && instance.instanceState.name === 'running'
    })
  })

  test('is not bundled over another one, and what fails half-way leaves nothing', async () => {
    await expect(bundle()).rejects.toThrow('already')
    let count = 0
    const broken = Object.assign(Object.create(tools.client) as AwsClient, {
      async putBytes(...args: Parameters<AwsClient['putBytes']>) {
        count += 1
        if (count === 3) throw new Error('the line is cut')
        await tools.client.putBytes(...args)
      },
    })
    await expect(bundle({ prefix: 'half' }, { ...tools, client: broken })).rejects.toThrow('cut')
    for (const part of ['half.part.00', 'half.part.01', 'half.part.02', 'half.manifest.xml'])
      expect([part, await isThere(part)]).toEqual([part, false])
    await expect(bundle({ file: file() })).rejects.toThrow('no file')
  })

  test('that is a ramdisk becomes one', async () => {
    writeFileSync(file('initrd'), Buffer.concat([Buffer.from('070701'), randomBytes(1000)]))
    const where = await bundle({ file: file('initrd'), prefix: 'initrd', kind: 'ramdisk' })
    const answer = await tools.client.ec2('RegisterImage', { Name: 'initrd', ImageLocation: where })
    expect(answer.imageId).toMatch(/^ari-/)
    await waitForImage(tools.client, answer.imageId as string)
    await downloadImage(tools, answer.imageId as string, { file: file('initrd.back'), format: 'raw' })
    expect(readFileSync(file('initrd.back')).equals(readFileSync(file('initrd')))).toBe(true)
    await expect(
      downloadImage(tools, answer.imageId as string, { file: file('initrd.vmdk'), format: 'vmdk' }),
    ).rejects.toThrow('no disk')
  })
})

describe('a download', () => {
  test.each(Object.entries(diskFormats))('as %s holds what was bundled', async (format, qemuName) => {
    const target = file(`web.${format}`)
    await downloadImage(tools, imageId, { file: target, format })
    // A VHD has whole cylinders: it may be a little longer.
    const compare = ['compare', '-f', 'raw', '-F', qemuName, file('disk.img'), target]
    expect(execFileSync('qemu-img', compare, { encoding: 'utf8' })).toContain('identical')
    if (format !== 'raw') return
    expect(readFileSync(target).equals(disk())).toBe(true)
    expect(statSync(target).blocks * 512).toBeLessThan(24 * MiB)
  })

  test('overwrites nothing, and knows what there is', async () => {
    const again = { file: file('web.raw'), format: 'raw' }
    await expect(downloadImage(tools, imageId, again)).rejects.toThrow('there already')
    const fresh = { file: file('fresh'), format: 'raw' }
    await expect(downloadImage(tools, 'ami-00000000000000000', fresh)).rejects.toThrow('no image')
    await expect(downloadImage(tools, imageId, { ...fresh, format: 'tape' })).rejects.toThrow('vmdk')
    expect(readdirSync(file()).filter((name) => /fresh|unfinished|fetched/.test(name))).toEqual([])
  })
})

describe('a bundle', () => {
  test('is unpacked from its bucket with the cloud’s key, and converted', async () => {
    await unbundleSource(tools, location, { file: file('back.raw'), format: 'raw' }, null)
    expect(readFileSync(file('back.raw')).equals(disk())).toBe(true)
    await unbundleSource(tools, location, { file: file('back.vdi'), format: 'vdi' }, null)
    const compare = ['compare', '-f', 'raw', '-F', 'vdi', file('disk.img'), file('back.vdi')]
    expect(execFileSync('qemu-img', compare, { encoding: 'utf8' })).toContain('identical')
  })

  test('is unpacked from a folder with its owner’s key; a damaged part is named and nothing is left', async () => {
    const own = await createSigningCertificate('owner', Date.now())
    writeFileSync(file('own.crt'), own.certificate)
    writeFileSync(file('own.key'), own.key)
    await bundle({ prefix: 'own', certificateFile: file('own.crt'), privateKeyFile: file('own.key') })
    mkdirSync(file('folder'))
    for (const name of ['own.part.00', 'own.part.01', 'own.part.02', 'own.manifest.xml']) {
      const pieces: Buffer[] = []
      for await (const piece of (await tools.client.getObject(bucket, name))!) pieces.push(piece as Buffer)
      writeFileSync(file('folder', name), Buffer.concat(pieces))
    }
    await unbundleSource(tools, file('folder'), { file: file('own.raw'), format: 'raw' }, file('own.key'))
    expect(readFileSync(file('own.raw')).equals(disk())).toBe(true)
    const part = readFileSync(file('folder', 'own.part.01'))
    part[5] = part[5]! ^ 1
    writeFileSync(file('folder', 'own.part.01'), part)
    const target = { file: file('bad.raw'), format: 'raw' }
    await expect(
      unbundleSource(tools, file('folder', 'own.manifest.xml'), target, file('own.key')),
    ).rejects.toThrow('Part 1 (own.part.01) is damaged')
    await expect(unbundleSource(tools, file(), target, null)).rejects.toThrow('no manifest')
    await expect(unbundleSource(tools, 'bundles/none.manifest.xml', target, null)).rejects.toThrow(
      'no manifest',
    )
    expect(readdirSync(file()).filter((name) => name.startsWith('bad'))).toEqual([])
  })

  test('that holds a qcow2, which may come from anywhere, is not given to QEMU', async () => {
    const evil = file('evil.qcow2')
    execFileSync('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-u',
      '-b',
      '/etc/hostname',
      '-F',
      'raw',
      evil,
      '1M',
    ])
    const where = await bundle({ file: evil, prefix: 'evil' })
    const target = { file: file('evil.vmdk'), format: 'vmdk' }
    await expect(unbundleSource(tools, where, target, null)).rejects.toThrow('qcow2')
    await unbundleSource(tools, where, { file: file('evil.back'), format: 'raw' }, null)
    expect(readFileSync(file('evil.back')).equals(readFileSync(evil))).toBe(true)
    const answer = await tools.client.ec2('RegisterImage', { Name: 'evil', ImageLocation: where })
    await expect(waitForImage(tools.client, answer.imageId as string)).rejects.toThrow('backing file')
    expect(readdirSync(file()).filter((name) => /evil.vmdk|unfinished|fetched/.test(name))).toEqual([])
  })
})

test('an instance is shut down, bundled by its node with its owner’s policy, and comes back', async () => {
  const { reservationSet } = await tools.client.ec2('DescribeInstances')
  const instanceId = reservationSet.item[0].instancesSet.item[0].instanceId as string
  const { accessKeyId, secretAccessKey } = daemons.credentials
  const conditions = [{ acl: 'ec2-bundle-read' }, { bucket }, ['starts-with', '$key', 'of-instance']]
  const policy = Buffer.from(JSON.stringify({ expiration: '2099-01-01T00:00:00Z', conditions })).toString(
    'base64',
  )
  const storage = (prefix: string) => ({
    'Storage.S3.Bucket': bucket,
    'Storage.S3.Prefix': prefix,
    'Storage.S3.AWSAccessKeyId': accessKeyId,
    'Storage.S3.UploadPolicy': policy,
    'Storage.S3.UploadPolicySignature': createHmac('sha1', secretAccessKey).update(policy).digest('base64'),
  })
  const finished = async (prefix: string) => {
    const asked = { InstanceId: instanceId, ...storage(prefix) }
    const started = await daemons.eventually(() => tools.client.ec2('BundleInstance', asked))
    const { bundleId } = started.bundleInstanceTask
    return daemons.eventually(async () => {
      const answer = await tools.client.ec2('DescribeBundleTasks', { 'BundleId.1': bundleId })
      const [task] = answer.bundleInstanceTasksSet.item as XmlAnswer[]
      return ['complete', 'failed'].includes(task.state) && task
    })
  }
  expect((await finished('of-instance/one')).error).toBeUndefined()
  const target = { file: file('instance.raw'), format: 'raw' }
  await unbundleSource(tools, `${bucket}/of-instance/one.manifest.xml`, target, null)
  expect(readFileSync(target.file, 'latin1')).toBe(instanceId.padEnd(512, '\0'))
  // What the policy does not allow is not uploaded, and the guest is none the worse.
  const refused = await finished('elsewhere')
  expect([refused.state, refused.error.message]).toEqual(['failed', expect.stringContaining('AccessDenied')])
  await daemons.eventually(async () => {
    const answer = await tools.client.ec2('DescribeInstances', { 'InstanceId.1': instanceId })
    const [instance] = answer.reservationSet.item[0].instancesSet.item as XmlAnswer[]
    return (
      instance.instanceState.name === 'running' && /incarnation 3/.test(instance.stateReason?.message ?? '')
    )
  })
}, 120_000)

test('the disk of a deregistered image is removed when its instances are gone', async () => {
  const place = await daemons.admin<{ bucket: string; key: string }>('GET', `/admin/v1/images/${imageId}`)
  const held = async () => {
    const object = await tools.client.getObject(place.bucket, place.key)
    object?.destroy()
    return object !== null
  }
  await tools.client.ec2('DeregisterImage', { ImageId: imageId })
  expect(await held()).toBe(true)
  const { reservationSet } = await tools.client.ec2('DescribeInstances')
  const instanceId = reservationSet.item[0].instancesSet.item[0].instanceId as string
  await tools.client.ec2('TerminateInstances', { 'InstanceId.1': instanceId })
  await daemons.eventually(async () => !(await held()))
})
