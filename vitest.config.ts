import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { useSoftwareAdapter } from './scripts/software-adapter.ts'

useSoftwareAdapter()

export default defineConfig({
  test: {
    globalSetup: './scripts/test-setup.ts',
    // No test reads or writes the state folder of whoever runs it.
    env: { FEDSVD_HOME: join(tmpdir(), `fedsvd-tests-${process.pid}`) },
    include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'tests/**/*.test.ts', 'scripts/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Many tests wait for other processes: both cores are used even where two are all there are.
    maxWorkers: '100%',
    reporters: ['default', './scripts/closing-line-reporter.ts'],
  },
})
