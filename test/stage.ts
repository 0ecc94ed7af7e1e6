import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

export interface Stage {
  readonly name: string
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface StageResult {
  readonly name: string
  readonly passed: boolean
  readonly seconds: number
  /** Tests that failed, with the first line of why, where the stage's runner tells. */
  readonly failures: readonly string[]
}

/** Runs one stage to its end, its output passed through. */
export function runStage(stage: Stage): Promise<StageResult> {
  const startedMs = Date.now()
  process.stdout.write(`\n== ${stage.name}\n`)
  const dir = mkdtempSync(path.join(tmpdir(), 'mallee-stage-'))
  const report = path.join(dir, 'report.json')
  return new Promise((resolve) => {
    const [file, ...args] = stage.command
    const more = file?.endsWith('/vitest')
      ? ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
      : []
    const child = spawn(file!, [...args, ...more], {
      stdio: 'inherit',
      env: { ...process.env, ...stage.env },
    })
    const end = (passed: boolean) => {
      const seconds = Math.round((Date.now() - startedMs) / 1000)
      process.stdout.write(`== ${stage.name}: ${passed ? 'passed' : 'FAILED'} in ${seconds} s\n`)
      const failures = passed ? [] : failuresIn(report)
      rmSync(dir, { recursive: true, force: true })
      resolve({ name: stage.name, passed, seconds, failures })
    }
    child.on('error', () => end(false))
    child.on('close', (code) => end(code === 0))
  })
}

interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

/** A long log is often cut to its end, so the end says what failed. */
function failuresIn(report: string): string[] {
  let found: Report
  try {
    found = JSON.parse(readFileSync(report, 'utf8')) as Report
  } catch {
    return [] // the runner ended before it could write it
  }
  const firstLine = (text: string | undefined) => (text ?? '').split('\n')[0]!.slice(0, 300)
  return found.testResults.flatMap((file) => {
    const name = path.relative(process.cwd(), file.name)
    const failed = file.assertionResults.filter((one) => one.status === 'failed')
    if (failed.length === 0 && file.status === 'failed') return [`${name}: ${firstLine(file.message)}`]
    return failed.map((one) => `${name} > ${one.fullName}: ${firstLine(one.failureMessages[0])}`)
  })
}

/** A program of node_modules, run by the Node.js that runs this. */
export function packaged(name: string, ...args: string[]): readonly string[] {
  return [new URL(`../node_modules/.bin/${name}`, import.meta.url).pathname, ...args]
}
