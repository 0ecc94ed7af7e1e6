import { copyFile, mkdir, stat } from 'node:fs/promises'
import { defaultStylesheetPath } from '@mallee/domain-xml'

/** Puts the files that are the admin's to edit where they are looked for; one that is there is never touched. */
export async function installCustomisables(layout: { file(...parts: string[]): string }): Promise<void> {
  for (const dir of ['transforms.d', 'nc-hooks'])
    await mkdir(layout.file('etc', dir), { recursive: true, mode: 0o755 })
  const stylesheet = layout.file('etc', 'libvirt.xsl')
  const present = await stat(stylesheet).catch(() => null)
  if (!present) await copyFile(defaultStylesheetPath, stylesheet)
}
