import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { breachesOf, breachesOfTree, importsOf } from './check-imports.ts'
import { circlesIn } from './import-circles.ts'

describe('the import table', () => {
  it.each([
    [
      'packages/core/src/accounting/rdp.ts',
      `import { x } from '../privacy/index.ts'`,
      'an accountant sees events only',
    ],
    ['packages/core/src/federation/server-step.ts', `import { x } from '../models/index.ts'`, 'nothing to privatise'],
    ['packages/core/src/privacy/noise.ts', `import { randomBytes } from 'node:crypto'`, 'core is pure'],
    ['packages/core/src/novel/x.ts', `import { x } from './y.ts'`, 'add it with a reason'],
    [
      'packages/engine/src/network/x.ts',
      `import { x } from '@fedsvd/server'`,
      'neither the client nor the coordinator',
    ],
    ['apps/client/src/round/round.ts', `const x = await import('../apps/server/src/index.ts')`, 'on the wire only'],
    [
      'apps/server/src/rounds/round.ts',
      `import {\n  type A,\n  b\n} from '../storage/records/postgres/generated/client.ts'`,
      'only the store knows the database',
    ],
    ['apps/server/src/platform/x.ts', `import type { RunRegistry } from '../runs/index.ts'`, 'the ground floor'],
    ['apps/server/src/rounds/x.ts', `import { x } from '../sockets/index.ts'`, 'neither runs nor sockets'],
    ['apps/client/src/ledger/x.ts', `import { x } from '../transport/index.ts'`, 'a ledger counts'],
    ['apps/client/src/round/x.ts', `import { x } from '@fedsvd/testing/client/site'`, 'doubles and fixtures'],
    ['apps/dashboard/src/charts/x.ts', `import { x } from '../pages/run.tsx'`, 'a chart is a function of its points'],
    ['packages/engine/src/novel/x.ts', `import { x } from './y.ts'`, 'add it with a reason'],
  ])('bites in %s on %s', (file, source, reason) => {
    expect(breachesOf(file, source)).toEqual([expect.stringContaining(reason)])
  })

  it.each([
    ['packages/core/src/accounting/pld.ts', `import { fft } from '../numeric/index.ts'\nimport { x } from './rdp.ts'`],
    ['packages/core/src/federation/x.ts', `import { FedsvdError } from '../errors.ts'`],
    ['apps/server/src/main.ts', `import { beginMean } from '@fedsvd/core/federation'\nimport express from 'express'`],
    ['apps/server/src/storage/records/postgres/store.ts', `import { PrismaPg } from '@prisma/adapter-pg'`],
  ])('lets %s be', (file, source) => {
    expect(breachesOf(file, source)).toEqual([])
  })

  it.each([
    ['apps/client/src/round/round.ts', 'const coin = Math.random() < 0.5'],
    ['apps/server/src/rounds/client-level-mean.ts', `const draw = Math['random']`],
    ['packages/core/src/privacy/x.ts', 'const { random } = Math'],
    ['apps/client/src/compose.ts', `const source = { kind: 'os-csprng', fill }`],
    ['apps/client/src/x.ts', 'crypto.getRandomValues(bytes)'],
    ['apps/client/src/round/round.ts', `const source = seededSource('seed')`],
    ['apps/server/src/rounds/client-level-mean.ts', `const source = seededSource('seed')`],
  ])('bites in %s on randomness that is none: %s', (file, source) => {
    expect(breachesOf(file, source)).toHaveLength(1)
  })

  it.each([
    `const { task = 'sequence-classification' } = manifest`,
    `manifest.task ?? 'sequence-classification'`,
    `const { aggregation = { name: 'mean' } } = manifest`,
    `aggregation?.name ?? 'mean'`,
    `const { maxStaleness = 20 } = manifest`,
    'const USUAL_MAX_STALENESS = 20',
    'manifest: { overSelection = 1 }',
    'model.featureScale ?? 1',
    '(manifest.unit?.maxRecords ?? 1)',
    `unit?.kind ?? 'record'`,
    `['completed', 'stopped', 'failed'].includes(state)`,
    `state !== 'waiting' && state !== 'running'`,
    `.version('0.1.0')`,
    `const VERSION = '1.2.3'`,
    'const handshake = z.object({ token: z.string() })',
    'runRequestSchema.loose()',
    ['const key = `$', '{sampleRate}/$', '{noiseMultiplier}`'].join(''),
    'Math.min(again[name], Number.MAX_VALUE)',
  ])('bites on what has its home elsewhere: %s', (source) => {
    expect(breachesOf('apps/server/src/rounds/x.ts', source)).toEqual([expect.stringContaining('may not contain')])
  })

  it('finds circles of imports, and lets what only meets below be', () => {
    const graph = { a: ['b'], b: ['c'], c: ['a', 'd'], d: ['e'], e: [], f: ['d', 'f'] }
    expect(circlesIn(new Map(Object.entries(graph)))).toEqual([['a', 'b', 'c'], ['f']])
  })

  it('is kept by the whole tree', () => {
    expect(breachesOfTree(fileURLToPath(new URL('..', import.meta.url)))).toEqual([])
  })

  it('sees every form of import', () => {
    const source = `import 'a'\nimport b from "b"\nexport * from 'c'\nimport type { D } from 'd'\nimport {\n  e,\n} from 'e'\nawait import('f')`
    expect(importsOf(source)).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  })
})
