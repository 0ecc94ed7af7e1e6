import { mkdir, open, readFile, readlink, rename, rm, rmdir, symlink } from 'node:fs/promises'
import path from 'node:path'
import { errorMessage, type Log } from '@mallee/base'
import type { Artifact, DomainItem, GuestInterface } from '@mallee/agent-contract'
import {
  buildNicXml,
  DomainXmlError,
  readDomain,
  transformDevice,
  transformDomain,
  writeInstanceXml,
} from '@mallee/domain-xml'
import type { NetworkPort } from '../drivers/network/driver.ts'
import type { NcHooks } from '../hooks/nc-hooks.ts'
import type { ImageCache } from '../images/image-cache.ts'
import {
  ensureOverlay,
  ensureRawCopy,
  fileExists,
  overlayPath,
  rawCopyPath,
} from '../images/instance-disk.ts'
import { ensurePartitionDisk } from '../images/partition-disk.ts'
import { fatal } from '../node-error.ts'
import type { GuestPreparer } from './guest-preparer.ts'
import {
  describeInstance,
  instanceFiles,
  nicOf,
  rootDevice,
  type InstanceFiles,
  type PreparedVolume,
  type VirtioSettings,
} from './instance-description.ts'
import type { VolumeDisks } from '../volumes/volume-disks.ts'

const transformMs = 10_000

type Described = Omit<Parameters<typeof describeInstance>[0], 'virtio' | 'hypervisorType' | 'tbCacheMiB'>

/**
 * Everything a real domain needs on its node, in the order of Eucalyptus' node controller: folder, images, disk,
 * instance.xml, the stylesheet and transforms, the pre-boot hook; what the hook left is what libvirt gets, to the byte.
 */
export class LibvirtPreparer implements GuestPreparer {
  private readonly deps: {
    instancesDir: string
    customDir: string
    cache: ImageCache
    volumeDisks: Pick<VolumeDisks, 'make'>
    hooks: NcHooks
    log: Log
    virtio: VirtioSettings
    tbCacheMiB: number
    hypervisorType: () => Promise<'kvm' | 'qemu'>
  }

  constructor(deps: LibvirtPreparer['deps']) {
    this.deps = deps
  }

  async prepare(item: DomainItem, ports: readonly NetworkPort[]): Promise<string> {
    const files = this.files(item)
    await mkdir(files.dir, { recursive: true, mode: 0o750 })
    await this.linkBootFile(item.kernel, files.kernelLink, item.requestId)
    await this.linkBootFile(item.ramdisk, files.ramdiskLink, item.requestId)
    const diskFormat = item.machine ? await this.rootDisk(item, item.machine, files) : null
    const volumes: PreparedVolume[] = []
    for (const volume of item.volumes ?? [])
      volumes.push({ volume, xml: await this.deps.volumeDisks.make(item, volume) })
    await this.writeXml({ item, files, ports, diskFormat, volumes })
    await this.deps.hooks.run('euca-nc-pre-boot', files.dir, aboutItem(item))
    return readFile(files.libvirtXml, 'utf8')
  }

  async interfaceXml(item: DomainItem, entry: GuestInterface, port: NetworkPort): Promise<string> {
    const { customDir, virtio } = this.deps
    const hypervisorType = await this.deps.hypervisorType()
    try {
      const made = await transformDevice({
        kind: 'interface',
        inputXml: buildNicXml(nicOf({ item, hypervisorType, virtio }, entry, port)),
        stylesheetPath: path.join(customDir, 'libvirt.xsl'),
        transformsDir: path.join(customDir, 'transforms.d'),
        timeoutMs: transformMs,
      })
      return made.xml
    } catch (error) {
      if (!(error instanceof DomainXmlError)) throw error
      const what = `The interface could not be made: ${error.stage} ${path.basename(error.file)} failed.`
      throw fatal('InterfaceXmlFailed', what, error)
    }
  }

  /** The instance's own disk, of its image; answers its format. */
  private async rootDisk(item: DomainItem, image: Artifact, files: InstanceFiles): Promise<'raw' | 'qcow2'> {
    const imagePath = await this.deps.cache.ensure(image, item.requestId)
    if (image.layout === 'partition') {
      const disk = await ensurePartitionDisk({
        instanceDir: files.dir,
        imagePath,
        imageBytes: image.sizeBytes,
        diskGiB: item.diskGiB,
        uuid: Buffer.from(item.uuid.replaceAll('-', ''), 'hex'),
      })
      await relink(disk, files.rootLink)
      return 'raw'
    }
    if (await fileExists(rawCopyPath(files.dir))) return 'raw'
    await ensureOverlay({ instanceDir: files.dir, image, imagePath, diskGiB: item.diskGiB })
    await relink(overlayPath(files.dir), files.rootLink)
    return 'qcow2'
  }

  progress(item: DomainItem): string | null {
    const wanted = new Set([item.machine?.imageId, item.kernel?.imageId, item.ramdisk?.imageId])
    const download = this.deps.cache.underWay().find(({ imageId }) => wanted.has(imageId))
    if (!download) return null
    const percent = Math.floor((100 * download.receivedBytes) / Math.max(download.sizeBytes, 1))
    const megabytes = Math.ceil(download.sizeBytes / 1e6)
    return `Fetching ${download.imageId}: ${percent} % of ${megabytes} MB.`
  }

  /** A raw disk is there whole, or not under its name; then it is what the guest has. */
  async disk(item: DomainItem) {
    const { dir } = this.files(item)
    const [raw, overlay] = [rawCopyPath(dir), overlayPath(dir)]
    if (await fileExists(raw)) return { file: raw, format: 'raw' as const }
    return (await fileExists(overlay)) ? { file: overlay, format: 'qcow2' as const } : null
  }

  async hasDisk(item: DomainItem): Promise<boolean> {
    return (await this.disk(item)) !== null
  }

  /** A veto of the pre-clean hook keeps the files, as Eucalyptus has it; the instance ends all the same. */
  async remove(item: DomainItem): Promise<void> {
    const { dir } = this.files(item)
    if (!(await fileExists(dir))) return
    try {
      await this.deps.hooks.run('euca-nc-pre-clean', dir, aboutItem(item))
    } catch (error) {
      this.deps.log.warn(
        { ...aboutItem(item), dir, reason: errorMessage(error) },
        'a hook keeps the files of the instance',
      )
      await rename(dir, `${dir}.kept`)
      return
    }
    await rm(dir, { recursive: true, force: true })
    await rmdir(path.dirname(dir)).catch(() => {}) // other instances of the account may live there
  }

  async readConsole(item: DomainItem, maxBytes: number): Promise<Buffer> {
    const files = this.files(item)
    const prefix = (await readFile(files.consolePrefix).catch(() => Buffer.alloc(0))).subarray(0, 4095)
    const handle = await open(files.console, 'r').catch(() => null)
    if (!handle) return prefix
    try {
      const { size } = await handle.stat()
      const wanted = Math.min(size, maxBytes - prefix.length)
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(wanted), 0, wanted, size - wanted)
      return Buffer.concat([prefix, buffer.subarray(0, bytesRead)])
    } finally {
      await handle.close()
    }
  }

  private files(item: DomainItem): InstanceFiles {
    return instanceFiles(this.deps.instancesDir, item, this.deps.virtio)
  }

  /**
   * The stylesheet is read anew for every launch. One that does not know `driverType` (an unmodified Eucalyptus one)
   * makes a domain that would read the overlay as raw bytes: it gets a raw disk instead.
   */
  private async writeXml(described: Described): Promise<void> {
    const { item, files, diskFormat } = described
    await this.transform(described)
    if (diskFormat !== 'qcow2') return
    const domain = readDomain(await readFile(files.libvirtXml, 'utf8'))
    const root = domain.disks.find((disk) => disk.source === files.rootLink)
    if (!root)
      throw fatal(
        'NoRootDisk',
        `The domain of ${item.instanceId} has no disk ${rootDevice(item, this.deps.virtio)}.`,
      )
    if (root.driverType === 'qcow2') return
    this.deps.log.info(aboutItem(item), 'the stylesheet names no disk format: making a raw disk')
    await relink(await ensureRawCopy({ instanceDir: files.dir }), files.rootLink)
    await this.transform({ ...described, diskFormat: 'raw' })
  }

  private async transform(described: Described): Promise<void> {
    const { files } = described
    const { customDir, virtio, tbCacheMiB } = this.deps
    const hypervisorType = await this.deps.hypervisorType()
    await writeInstanceXml(files.dir, describeInstance({ ...described, virtio, hypervisorType, tbCacheMiB }))
    try {
      await transformDomain({
        instanceXmlPath: files.instanceXml,
        stylesheetPath: path.join(customDir, 'libvirt.xsl'),
        transformsDir: path.join(customDir, 'transforms.d'),
        outputPath: files.libvirtXml,
        timeoutMs: transformMs,
      })
    } catch (error) {
      if (error instanceof DomainXmlError) {
        // The tenant is told the stage and the file's name; where it lies and what it printed is in the node's log.
        throw fatal(
          'DomainXmlFailed',
          `The domain could not be made: ${error.stage} ${path.basename(error.file)} failed.`,
          error,
        )
      }
      throw error
    }
  }

  private async linkBootFile(
    artifact: Artifact | null,
    link: string,
    requestId: string | null | undefined,
  ): Promise<void> {
    if (artifact) await relink(await this.deps.cache.ensure(artifact, requestId), link)
  }
}

async function relink(target: string, link: string): Promise<void> {
  const present = await readlink(link).catch(() => null)
  if (present === target) return
  await rm(`${link}.new`, { force: true })
  await symlink(target, `${link}.new`)
  await rename(`${link}.new`, link)
}

/** The thread through the logs: the instance, and the request that it is all about. */
const aboutItem = (item: DomainItem) => ({ instanceId: item.instanceId, request_id: item.requestId ?? null })
