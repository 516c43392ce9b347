import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runTests } from './run-tests.ts'
import type { Mutant } from './table.ts'
import { ROOT } from './workspace.ts'

export const OUTCOMES = [
  'killed',
  'equivalent',
  'survived',
  'argument is wrong',
  'no longer there',
  'does not compile',
  'tests fail anyway',
] as const
export type OutcomeKind = (typeof OUTCOMES)[number]
export const FINE: readonly OutcomeKind[] = ['killed', 'equivalent']

export interface Outcome {
  readonly kind: OutcomeKind
  /** The file of tests that decided, and its first test that failed. */
  readonly noticedBy?: string
  readonly test?: string
}

/** A break that makes a test run for ever is noticed, too. */
const LIMIT_SECONDS = 300

/** How often the line of a break is in its file; a break is sound when it is there once. */
export function occurrences({ file, find }: Mutant, root = ROOT): number {
  const path = join(root, file)
  return existsSync(path) ? readFileSync(path, 'utf8').split(find).length - 1 : 0
}

/** Whether the tests of a file pass on the tree as it is: tests that fail anyway notice nothing. */
const sound = new Map<string, Promise<boolean>>()

function isSound(file: string, folder: string): Promise<boolean> {
  const known =
    sound.get(file) ?? runTests(file, folder, LIMIT_SECONDS).then(({ verdict }) => verdict.kind === 'passed')
  sound.set(file, known)
  return known
}

/** Breaks the line and runs the files of tests one after the other, `first` before the others, until one notices. */
export async function tryOut(mutant: Mutant, folder: string, first?: string): Promise<Outcome> {
  if (occurrences(mutant, folder) !== 1) return { kind: 'no longer there' }
  const tests = [...mutant.tests].sort((one, other) => Number(other === first) - Number(one === first))
  for (const file of tests) {
    const { verdict } = await withBreak(mutant, folder, () => runTests(file, folder, LIMIT_SECONDS))
    if (verdict.kind === 'passed') continue
    if (!(await isSound(file, folder))) return { kind: 'tests fail anyway', noticedBy: file }
    if (verdict.kind === 'not compiled') return { kind: 'does not compile', noticedBy: file }
    const test = verdict.kind === 'failed' ? verdict.test : '(its tests do not end)'
    return { kind: mutant.equivalent === undefined ? 'killed' : 'argument is wrong', noticedBy: file, test }
  }
  return { kind: mutant.equivalent === undefined ? 'survived' : 'equivalent' }
}

async function withBreak<T>({ file, find, replace }: Mutant, folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, file)
  const source = readFileSync(path, 'utf8')
  writeFileSync(
    path,
    source.replace(find, () => replace),
  )
  try {
    return await work()
  } finally {
    writeFileSync(path, source)
  }
}
