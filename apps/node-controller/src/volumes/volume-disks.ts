import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { errorMessage, writeAtomically, type Log } from '@mallee/base'
import type { AttachedVolume, ConnectionItem, DomainItem } from '@mallee/agent-contract'
import type { Ledger } from '@mallee/agent-kit'
import { DomainXmlError, transformDevice } from '@mallee/domain-xml'
import type { HypervisorDriver } from '../drivers/hypervisor/driver.ts'
import { isOurSecret, iscsiDisk, secretName } from '../drivers/volume/iscsi.ts'
import type { NcHooks } from '../hooks/nc-hooks.ts'
import { fatal, passing } from '../node-error.ts'

const transformMs = 10_000

/**
 * The `<disk>` of each volume as libvirt is to be given it, in a file of its own beside instance.xml, as Eucalyptus'
 * node controller has it: made from the connection, through the admin's transforms, and past the pre-attach hook.
 */
export class VolumeDisks {
  private readonly deps: {
    ledger: Ledger
    hypervisor: Pick<HypervisorDriver, 'setSecret' | 'listSecrets' | 'dropSecret'>
    hooks: NcHooks
    instancesDir: string
    customDir: string
    /** Where the cloud controller is, as this node knows it. */
    cloudHost: string
    log: Log
  }

  constructor(deps: VolumeDisks['deps']) {
    this.deps = deps
  }

  connection(attachmentId: string): ConnectionItem | undefined {
    return this.deps.ledger.get('connection', attachmentId)?.body
  }

  /** Whose a disk of a domain is, by what it is reached through; undefined where the set has no such connection. */
  attachmentOf(source: string | null): string | undefined {
    const all = this.deps.ledger.list('connection')
    return all.find((item) => `${item.body.iqn}/1` === source)?.body.attachmentId
  }

  /** The disk's XML; its secret is with the hypervisor by then. */
  async make(item: DomainItem, volume: AttachedVolume): Promise<string> {
    const connection = this.connection(volume.attachmentId)
    if (!connection) throw passing('NoConnection', `It is not said yet how ${volume.volumeId} is reached.`)
    const { hooks, hypervisor, cloudHost, customDir } = this.deps
    await hypervisor.setSecret(secretName(volume.attachmentId), connection.chapSecret)
    const file = this.fileOf(item, volume.volumeId)
    await writeAtomically(
      file,
      await this.transformed(iscsiDisk(volume, connection, cloudHost), customDir),
      0o640,
    )
    try {
      await hooks.run('euca-nc-pre-attach', file, about(item))
    } catch (error) {
      await rm(file, { force: true })
      throw error
    }
    return readFile(file, 'utf8')
  }

  /** After the guest gave it back. */
  async unmake(item: DomainItem, volumeId: string): Promise<void> {
    const file = this.fileOf(item, volumeId)
    await this.deps.hooks.run('euca-nc-post-detach', file, about(item)).catch((error: unknown) => {
      this.deps.log.warn({ ...about(item), reason: errorMessage(error) }, 'a hook failed after a detach')
    })
    await rm(file, { force: true })
  }

  /** Secrets of connections that the set no longer has are nobody's. */
  async dropSecrets(): Promise<void> {
    const { hypervisor, ledger } = this.deps
    const wanted = new Set(ledger.list('connection').map((item) => secretName(item.body.attachmentId)))
    for (const name of await hypervisor.listSecrets())
      if (isOurSecret(name) && !wanted.has(name)) await hypervisor.dropSecret(name)
  }

  private fileOf(item: DomainItem, volumeId: string): string {
    return path.join(this.deps.instancesDir, item.accountId, item.instanceId, `${volumeId}-libvirt.xml`)
  }

  private async transformed(xml: string, customDir: string): Promise<string> {
    try {
      const made = await transformDevice({
        kind: 'disk',
        inputXml: xml,
        stylesheetPath: null,
        transformsDir: path.join(customDir, 'transforms.d'),
        timeoutMs: transformMs,
      })
      return made.xml
    } catch (error) {
      if (!(error instanceof DomainXmlError)) throw error
      throw fatal(
        'DiskXmlFailed',
        `The disk could not be made: ${error.stage} ${path.basename(error.file)} failed.`,
        error,
      )
    }
  }
}

const about = (item: DomainItem) => ({ instanceId: item.instanceId, request_id: item.requestId ?? null })
