import { startPrivatePostgres, whyNoPostgres } from '@mallee/testkit'
import { checkStages } from './check.ts'
import { packaged, runStage, type Stage, type StageResult } from './stage.ts'

const script = (...words: string[]) => [process.execPath, '--disable-warning=ExperimentalWarning', ...words]

/**
 * Everything, in the order that fails soonest: what reads only the source, what runs in one process, what needs the
 * real daemons. `./mallee test NAME…` runs only the stages of these names.
 */
const stages: Stage[] = [
  ...checkStages,
  {
    name: 'units',
    command: packaged('vitest', 'run', '--exclude', 'test/**', '--exclude', '**/*.slow.test.ts'),
  },
  { name: 'conformance', command: packaged('vitest', 'run', 'test/conformance') },
  { name: 'simulation', command: packaged('vitest', 'run', 'test/simulation') },
  {
    name: 'crash',
    command: [process.execPath, '--disable-warning=ExperimentalWarning', 'test/crash/crash.ts'],
  },
  {
    name: 'postgres',
    // A marked tenth of the actions; the whole suite runs on SQLite above (DECISIONS 18).
    command: packaged(
      'vitest',
      'run',
      'apps/cloud-controller/test/actions/ec2/run-instances.test.ts',
      'apps/cloud-controller/test/http',
      'apps/cloud-controller/test/audit',
      'apps/cloud-controller/test/store/quota-edge.test.ts',
      'apps/cloud-controller/test/usage',
    ),
  },
  { name: 'disk-full', command: script('test/disk-full/disk-full.ts') },
  { name: 'system', command: script('test/system/first-light.ts') },
  // Once more over TLS, with the daemons in one process.
  { name: 'system-tls', command: script('test/system/first-light.ts', '--tls', '--one-process') },
  { name: 'clients', command: script('test/clients/clients.ts') },
  // Skipped, and says so, where there is no terraform with the AWS provider.
  { name: 'terraform', command: script('test/terraform/terraform.ts') },
  { name: 'machines', command: script('test/system/machines.ts') },
  { name: 'upgrade', command: script('test/system/upgrade.ts') },
  { name: 'docs', command: script('test/docs/docs.ts') },
  { name: 'compose', command: script('test/compose/compose.ts') },
]

const wanted = process.argv.slice(2)
const chosen = stages.filter((stage) => wanted.length === 0 || wanted.includes(stage.name))
const results: StageResult[] = []
for (const stage of chosen)
  results.push(await (stage.name === 'postgres' ? onPostgres(stage) : runStage(stage)))

process.stdout.write('\n')
for (const result of results) {
  process.stdout.write(`${result.passed ? 'ok  ' : 'FAIL'} ${result.name} (${result.seconds} s)\n`)
  for (const failure of result.failures) process.stdout.write(`     ${failure}\n`)
}
const failed = results.filter((result) => !result.passed).length
process.stdout.write(`stages: ${results.length - failed} passed, ${failed} failed\n`)
process.exit(failed === 0 && results.length > 0 ? 0 : 1)

async function onPostgres(stage: Stage): Promise<StageResult> {
  const missing = whyNoPostgres()
  if (missing) {
    process.stdout.write(`\n== ${stage.name}: FAILED, because ${missing}\n`)
    return { name: stage.name, passed: false, seconds: 0, failures: [] }
  }
  const server = await startPrivatePostgres()
  try {
    return await runStage({ ...stage, env: { MALLEE_TEST_POSTGRES: server.url } })
  } finally {
    await server.stop()
  }
}
