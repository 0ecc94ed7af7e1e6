/** Files of this package that are copied to where the admin edits them. */
import { join } from 'node:path'

/** Our libvirt.xsl. */
export const defaultStylesheetPath = join(import.meta.dirname, '../libvirt.xsl')
/** Example transforms; their names end in `.example`, so that a copy of the folder changes nothing. */
export const exampleTransformsDir = join(import.meta.dirname, '../examples/transforms.d')
/** Example hooks for the node controller's nc-hooks folder; not executable. */
export const exampleHooksDir = join(import.meta.dirname, '../examples/nc-hooks')
