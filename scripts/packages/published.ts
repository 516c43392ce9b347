import { readFileSync } from 'node:fs'
import path from 'node:path'

export const ROOT = path.resolve(import.meta.dirname, '../..')

/** What a package holds besides what is compiled of its `src`. */
export interface Published {
  /** Folder of the package in the repository. */
  readonly source: string
  readonly description: string
  /** Files and folders of the repository that travel with it, and where they lie in the package. */
  readonly with?: Readonly<Record<string, string>>
  /** Of its files, the one that runs before the install scripts of what it depends on. */
  readonly preinstall?: string
  /** Dependencies of the sources that what is built does without. */
  readonly without?: readonly string[]
}

/** The packages that others install, each after those that it depends on. */
export const PUBLISHED: Readonly<Record<string, Published>> = {
  '@fedsvd/core': {
    source: 'packages/core',
    description:
      'Privacy accounting, the private step, exact re-factorisation of LoRA updates, and the wire protocol of fedsvd.',
  },
  '@fedsvd/engine': {
    source: 'packages/engine',
    description:
      'Per-record gradients of language models on onnxruntime or TensorFlow.js, data sets, tokenisers and checkpoints.',
    with: { 'packages/engine/install': 'install' },
    preinstall: 'install/without-cuda.mjs',
  },
  '@fedsvd/starter': {
    source: 'packages/starter',
    description: 'A small English sentence encoder and example data, to try fedsvd with.',
  },
  '@fedsvd/client': {
    source: 'apps/client',
    description: 'The client node of fedsvd: trains on the records of one site under its own privacy budget.',
    without: ['tsx'],
  },
  '@fedsvd/server': {
    source: 'apps/server',
    description: 'The coordinator of fedsvd: runs, rounds, aggregation, and the dashboard.',
    with: { 'prisma/migrations': 'prisma/migrations', 'apps/dashboard/dist': 'dashboard' },
    without: ['tsx'],
  },
  fedsvd: {
    source: 'apps/cli',
    description:
      'Federated fine-tuning of language models under differential privacy: the command, and the same from code.',
    with: { 'scripts/packages/fedsvd.mjs': 'bin/fedsvd.mjs', 'README.md': 'README.md' },
    without: ['tsx'],
  },
}

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly license: string
  readonly type: string
  readonly exports?: Readonly<Record<string, string>>
  readonly bin?: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

export function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(path.join(ROOT, folder, 'package.json'), 'utf8')) as Manifest
}
