import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'

const ROOT = new URL('../', import.meta.url)
const WORKFLOWS = new URL('.github/workflows/', ROOT)
const read = (name: string, from = ROOT): string => readFileSync(new URL(name, from), 'utf8')

interface Workflow {
  readonly jobs: Readonly<Record<string, Job>>
}
interface Job {
  readonly uses?: string
  readonly strategy?: { readonly matrix: { readonly node: readonly number[] } }
  readonly steps?: readonly { readonly run?: string }[]
}

const workflows = new Map(
  readdirSync(WORKFLOWS).map((name): [string, Workflow] => [name, parse(read(name, WORKFLOWS)) as Workflow]),
)
const jobsOf = (name: string): readonly Job[] => Object.values(workflows.get(name)!.jobs)
const commands = [...workflows.keys()].flatMap((name) =>
  jobsOf(name).flatMap(({ steps = [] }) => steps.flatMap(({ run }) => (run === undefined ? [] : [{ name, run }]))),
)

/** What of this repository a command names that is not there. */
function missingIn(run: string): readonly string[] {
  const [, script, folder = '.'] = /npm run (\S+)(?: -w (\S+))?/.exec(run) ?? []
  const { scripts } = JSON.parse(read(`${folder}/package.json`)) as { scripts: Record<string, string> }
  const files = [...run.matchAll(/(?:^|\s)((?:\.ci|scripts)\/[\w./-]+)/g)].map(([, file]) => file!)
  return [
    ...(script === undefined || Object.hasOwn(scripts, script) ? [] : [`${folder}: ${script}`]),
    ...files.filter((file) => !existsSync(new URL(file, ROOT))),
  ]
}

describe('the workflows', () => {
  it('are those of every change, of releases and of the night', () => {
    expect([...workflows.keys()].toSorted()).toEqual(['ci.yml', 'nightly-faults.yml', 'release.yml'])
    expect(jobsOf('ci.yml').map(({ strategy }) => strategy?.matrix.node)).toEqual([[22, 24]])
  })

  it.each(commands)('$name runs what there is: $run', ({ run }) => {
    expect(missingIn(run)).toEqual([])
  })

  it('would be found out with a command that is not there', () => {
    expect(missingIn('npm run test:nothing -w apps/server')).toEqual(['apps/server: test:nothing'])
    expect(missingIn('node scripts/nothing.mjs')).toEqual(['scripts/nothing.mjs'])
  })

  it('call none that is not there', () => {
    const called = [...workflows.keys()].flatMap(jobsOf).flatMap(({ uses }) => uses ?? [])
    expect(called.filter((file) => !existsSync(new URL(file, ROOT)))).toEqual([])
  })
})
