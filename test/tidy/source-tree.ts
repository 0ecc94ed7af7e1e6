import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'

export const root = path.resolve(import.meta.dirname, '../..')

export interface SourceFile {
  /** Relative to the root, with forward slashes. */
  readonly name: string
  readonly text: string
  readonly lines: number
  readonly imports: readonly string[]
}

const skipped = new Set(['node_modules', '.mallee', '.git', 'models', 'generated', 'samples'])

/** Every TypeScript file that we wrote by hand. */
export function sourceFiles(): SourceFile[] {
  return ['apps', 'packages', 'test', 'bench']
    .flatMap((dir) => walk(path.join(root, dir)))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .map((file) => {
      const text = readFileSync(file, 'utf8')
      return {
        name: path.relative(root, file),
        text,
        lines: text.split('\n').length - 1,
        imports: [
          ...text.matchAll(/^(?:import|export)[^'"]*?from '([^']+)'|^import '([^']+)'|import\('([^']+)'\)/gm),
        ].map((match) => match[1] ?? match[2] ?? match[3]!),
      }
    })
}

function walk(dir: string): string[] {
  try {
    return readdirSync(dir).flatMap((name) => {
      if (skipped.has(name)) return []
      const file = path.join(dir, name)
      return statSync(file).isDirectory() ? walk(file) : [file]
    })
  } catch {
    return []
  }
}

/** `apps/walrus`, `packages/base` or `test`: the workspace that a file belongs to. */
export function workspaceOf(name: string): string {
  const parts = name.split('/')
  return parts[0] === 'apps' || parts[0] === 'packages' ? `${parts[0]}/${parts[1]}` : parts[0]!
}
