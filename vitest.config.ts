import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** Unit, action, contract and simulation tests. The system test runs apart: see test/system. */
export default defineConfig({
  test: {
    include: ['{apps,packages}/**/*.test.ts', 'test/{tidy,simulation,conformance}/**/*.test.ts'],
    exclude: ['**/node_modules/**', '.mallee/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // By default one core of two is left unused; the tests wait more than they compute.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
})
