import { packaged, runStage, type Stage } from './stage.ts'

/** `npm run check`: types, lint, format and tidiness, in the order that CI has. */
export const checkStages: Stage[] = [
  { name: 'types', command: packaged('tsc', '--noEmit', '-p', 'tsconfig.json') },
  { name: 'lint', command: packaged('oxlint', '--deny-warnings') },
  { name: 'format', command: packaged('oxfmt', '--check', '.') },
  { name: 'tidy', command: packaged('vitest', 'run', 'test/tidy') },
]

if (import.meta.main) {
  for (const stage of checkStages) {
    const result = await runStage(stage)
    if (!result.passed) process.exit(1)
  }
}
