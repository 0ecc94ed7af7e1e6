import { spawn } from 'node:child_process'
import path from 'node:path'
import { repositoryRoot } from '../layout.ts'
import { testPackages } from '../host/packages.ts'
import { setup } from './setup.ts'

/** Everything that CI runs, in its order. */
export async function runTest(args: string[]): Promise<number> {
  await setup(testPackages)
  const child = spawn(process.execPath, [path.join(repositoryRoot, 'test/run-all.ts'), ...args], {
    stdio: 'inherit',
    cwd: repositoryRoot,
  })
  return new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)))
}
