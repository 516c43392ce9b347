import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { useSoftwareAdapter } from './scripts/software-adapter.ts'

useSoftwareAdapter()

/*
 * Unit tests share their processes (`isolate: false`): loading the platform costs more than most of them. The others do
 * not, as they change what a process has once: its environment, its random numbers, the kernels of TensorFlow.js.
 */
const besideTheSource = ['{packages,apps}/*/src/**/*.test.ts', 'scripts/**/*.test.ts']

export default defineConfig({
  test: {
    globalSetup: './scripts/test-setup.ts',
    // No test reads or writes the state folder of whoever runs it.
    env: { FEDSVD_HOME: join(tmpdir(), `fedsvd-tests-${process.pid}`) },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          isolate: false,
          include: besideTheSource,
          exclude: ['**/node_modules/**', '**/*.slow.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['{packages,apps}/*/src/**/*.slow.test.ts', 'apps/*/tests/**/*.test.ts'],
        },
      },
      { extends: true, test: { name: 'e2e', include: ['tests/**/*.test.ts'] } },
    ],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Many tests wait for other processes: both cores are used even where two are all there are.
    maxWorkers: '100%',
    reporters: ['default', './scripts/closing-line-reporter.ts'],
  },
})
