import { spawn } from 'node:child_process'

export interface Stage {
  readonly name: string
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface StageResult {
  readonly name: string
  readonly passed: boolean
  readonly seconds: number
}

/** Runs one stage to its end, its output passed through. */
export function runStage(stage: Stage): Promise<StageResult> {
  const startedMs = Date.now()
  process.stdout.write(`\n== ${stage.name}\n`)
  return new Promise((resolve) => {
    const [file, ...args] = stage.command
    const child = spawn(file!, args, { stdio: 'inherit', env: { ...process.env, ...stage.env } })
    const end = (passed: boolean) => {
      const seconds = Math.round((Date.now() - startedMs) / 1000)
      process.stdout.write(`== ${stage.name}: ${passed ? 'passed' : 'FAILED'} in ${seconds} s\n`)
      resolve({ name: stage.name, passed, seconds })
    }
    child.on('error', () => end(false))
    child.on('close', (code) => end(code === 0))
  })
}

/** A program of node_modules, run by the Node.js that runs this. */
export function packaged(name: string, ...args: string[]): readonly string[] {
  return [new URL(`../node_modules/.bin/${name}`, import.meta.url).pathname, ...args]
}
