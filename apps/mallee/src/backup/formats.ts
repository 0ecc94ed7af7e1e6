import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { MalleeError, writeAtomically } from '@mallee/base'

/**
 * Every format that a state folder holds, with the number of the version that this release writes. A number grows when
 * an older release could no longer read what is written; `upgrade` brings a folder to these numbers and `up` refuses
 * one that has others. docs/admin/backup-and-upgrade.md lists what each of them is.
 */
export const formats = {
  /** Names and places of files in the state folder. */
  layout: 2,
  /** The record's tables; its own migrations bring them up to date. */
  record: 2,
  /** Walrus' index and its blobs. */
  walrus: 2,
  /** Identity and ledger of an agent. */
  agent: 1,
  /** instance.xml and the folder of an instance on its node. */
  instance: 2,
  /** The file that `backup` writes. */
  backup: 1,
} as const

export type Formats = Record<keyof typeof formats, number>

/** What the first release wrote, which did not say so. */
const firstFormats: Formats = { layout: 1, record: 1, walrus: 1, agent: 1, instance: 2, backup: 1 }

const versionFile = (stateDir: string) => path.join(stateDir, 'version.json')

export function readFormats(stateDir: string): Formats {
  const file = versionFile(stateDir)
  if (!existsSync(file)) return firstFormats
  return { ...firstFormats, ...(JSON.parse(readFileSync(file, 'utf8')) as { formats: Formats }).formats }
}

export async function writeFormats(stateDir: string, as: Formats = formats): Promise<void> {
  await writeAtomically(versionFile(stateDir), `${JSON.stringify({ formats: as }, null, 2)}\n`, 0o644)
}

export interface FormatStep {
  readonly format: keyof typeof formats
  readonly from: number
  readonly to: number
}

/** Steps from what is there to what this release writes; a format from the future is refused. */
export function stepsFrom(present: Formats): FormatStep[] {
  const steps = (Object.keys(formats) as (keyof typeof formats)[])
    .filter((format) => format !== 'backup' && present[format] !== formats[format])
    .map((format) => ({ format, from: present[format], to: formats[format] }))
  const newer = steps.find((step) => step.from > step.to)
  if (newer)
    throw new MalleeError({
      code: 'NewerRelease',
      publicMessage: `The state folder was written by a newer release (${newer.format} ${newer.from}; this one knows ${newer.to}). Use that release, or restore the backup that its upgrade made.`,
    })
  return steps
}
