import { lstat, readdir } from 'node:fs/promises'
import path from 'node:path'
import type { InventoryEntry } from '@mallee/agent-contract'
import { domainName } from '../drivers/hypervisor/driver.ts'

/**
 * What lies in the node's folders: instances' folders (`ACCOUNT/i-…`, or `i-…` where guests are simulated), files that
 * somebody began to write and did not finish, and cached images. Links are looked at and never followed.
 */
export interface NodeFolders {
  readonly instances: string
  readonly images: string
  /** The agent's own: its ledger. */
  readonly agent: string
}

type FolderName = keyof NodeFolders

const unfinished = /\.(?:part|new)$|^\..+\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export async function lookIntoFolders(
  folders: NodeFolders,
  declared: { instanceIds: ReadonlySet<string>; imageFiles: ReadonlySet<string> },
): Promise<InventoryEntry[]> {
  const entries: InventoryEntry[] = []
  for (const folder of await instanceFolders(folders.instances)) {
    const name = path.basename(folder)
    const at = path.join(folders.instances, folder)
    entries.push({
      kind: 'instance-files',
      id: folder,
      owner: declared.instanceIds.has(name) ? name : null,
      state: null,
      changedAtMs: await changedAt(at),
    })
    entries.push(...(await temporaryFiles('instances', folders.instances, folder)))
  }
  entries.push(...(await temporaryFiles('images', folders.images, '')))
  entries.push(...(await temporaryFiles('agent', folders.agent, '')))
  entries.push(...(await temporaryFiles('agent', folders.agent, 'ledger')))
  for (const name of await names(folders.images)) {
    if (unfinished.test(name)) continue
    entries.push({
      kind: 'cached-image',
      id: name,
      owner: declared.imageFiles.has(name) ? name : null,
      state: null,
      changedAtMs: await changedAt(path.join(folders.images, name)),
    })
  }
  return entries
}

/** The file behind an id of ours; null where the id is none. */
export function folderOfInstance(folders: NodeFolders, id: string): string | null {
  const parts = id.split('/')
  const fits =
    parts.length <= 2 &&
    domainName.test(parts.at(-1)!) &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..')
  return fits ? path.join(folders.instances, ...parts) : null
}

async function instanceFolders(root: string): Promise<string[]> {
  const found: string[] = []
  for (const name of await names(root)) {
    if (domainName.test(name)) found.push(name)
    else if (/^\w+$/.test(name))
      for (const inner of await names(path.join(root, name)))
        if (domainName.test(inner)) found.push(`${name}/${inner}`)
  }
  return found
}

async function temporaryFiles(name: FolderName, root: string, below: string): Promise<InventoryEntry[]> {
  const entries: InventoryEntry[] = []
  for (const file of await names(path.join(root, below))) {
    if (!unfinished.test(file)) continue
    const changedAtMs = await changedAt(path.join(root, below, file))
    const id = [name, ...(below === '' ? [] : [below]), file].join('/')
    entries.push({ kind: 'temporary-file', id, owner: null, state: null, changedAtMs })
  }
  return entries
}

/** A folder that is not there, or no folder, has nothing in it. */
async function names(dir: string): Promise<string[]> {
  return readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
    throw error
  })
}

async function changedAt(file: string): Promise<number | null> {
  const info = await lstat(file).catch(() => null)
  return info ? Math.floor(info.mtimeMs) : null
}
