import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type SimulationSettings, simulate } from './simulate.ts'

const MODEL = fileURLToPath(new URL('../../../../examples/custom-model/bag-of-bytes.mjs', import.meta.url))

const folder = mkdtempSync(join(tmpdir(), 'fedsvd-simulate-test-'))
beforeAll(() => {
  const rows = Array.from({ length: 120 }, (_, at) => {
    const isLoud = at % 3 === 0
    return {
      text: isLoud ? `BUY NOW ${at}!!!` : `see you at ${at} then`,
      label: isLoud ? 'spam' : 'ham',
      list: `l${at % 4}`,
    }
  })
  writeFileSync(join(folder, 'data.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
})
afterAll(() => rmSync(folder, { recursive: true }))

const CONFIG = {
  name: 'a trial',
  labels: ['ham', 'spam'],
  target: { epsilon: 8, delta: 1e-3 },
  model: { name: 'bag-of-bytes', maxTokens: 16 },
  rounds: 2,
  localSteps: 1,
  expectedLotSize: 8,
  learningRate: 1,
}
const settings = (changes: Partial<SimulationSettings> = {}): SimulationSettings => ({
  config: CONFIG,
  data: join(folder, 'data.jsonl'),
  clients: 4,
  extension: [MODEL],
  out: join(folder, 'out'),
  ...changes,
})

describe('an experiment', () => {
  it('leaves a row for each round of each cell, a page that needs nothing else, and goes on where it stopped', async () => {
    const grid = { ...settings(), methods: ['fedsvd', 'ffa-lora'], seeds: '1..2', partition: 'dirichlet:0.5' }
    const seen: string[] = []
    const first = await simulate({
      ...grid,
      onFinished: ({ point, seed }) => seen.push(`${String(point.method)} ${seed}`),
    })
    expect(seen).toEqual(['fedsvd 1', 'ffa-lora 1', 'fedsvd 2', 'ffa-lora 2'])
    expect(first).toMatchObject({ cells: 4, failed: [], leftOutRows: 0 })
    const csv = readFileSync(first.csv, 'utf8')
    const [heading, ...rows] = csv.trimEnd().split('\r\n')
    expect(heading).toBe('method,seed,round,accuracy,loss,micro_f1,majority,hold_out_records,epsilon,sites,seconds')
    expect(rows).toHaveLength(8)
    expect(rows[0]).toMatch(/^fedsvd,1,1,0\.\d+,\d+\.\d+,,0\.\d+,24,\d\.\d+,4,/)
    const page = readFileSync(first.report, 'utf8')
    expect(page).toContain('<h1>a trial</h1>')
    expect(page).toContain('protects nobody')
    expect(page).toContain('<polyline')
    expect(page).not.toMatch(/<script|src=|href=|@import|url\(/)
    expect(first.summary.settings[1]).toMatchObject({ name: 'ffa-lora', seeds: [1, 2], difference: { count: 2 } })

    await expect(simulate(grid)).rejects.toThrow(/CONFIG_INVALID.*--resume/)
    seen.length = 0
    rmSync(join(folder, 'out', 'cells', readdirSync(join(folder, 'out', 'cells')).sort()[0]!))
    const again = await simulate({ ...grid, resume: true, onFinished: ({ seed }) => seen.push(String(seed)) })
    expect(seen).toHaveLength(1)
    // the cell that was run anew comes to the same bits: all but the times
    const timeless = (text: string) => text.replaceAll(/,[\d.]+\r\n/g, '\r\n')
    expect(timeless(readFileSync(again.csv, 'utf8'))).toBe(timeless(csv))
  })

  it('comes to the same in processes of their own', async () => {
    const both = { ...settings(), seeds: '1..2', methods: ['fedsvd'] }
    const { finished } = await simulate({ ...both, out: join(folder, 'here') })
    const elsewhere = await simulate({ ...both, out: join(folder, 'elsewhere'), jobs: 2 })
    expect(elsewhere.failed).toEqual([])
    const losses = (of: typeof finished) => of.map(({ result }) => result.rounds.map(({ loss }) => loss))
    expect(losses(elsewhere.finished)).toEqual(losses(finished))
  })

  it('makes a site of each value of a column, and tells of a cell that fails', async () => {
    const failures: string[] = []
    const { finished } = await simulate(
      settings({ clients: undefined, partition: 'column:list', out: join(folder, 'by-column') }),
    )
    expect(finished[0]?.result.rounds[0]?.sites).toBe(4)
    const { failed, cells } = await simulate(
      settings({
        declaredRecords: 5,
        out: join(folder, 'failing'),
        onFailed: ({ error }) => failures.push(error.message),
      }),
    )
    expect({ failed: failed.length, cells }).toEqual({ failed: 1, cells: 1 })
    expect(failures[0]).toMatch(/at least 8 declared records/)
  })

  it.each<[Partial<SimulationSettings>, RegExp]>([
    [{ data: 'nowhere.csv' }, /DATA_UNREADABLE.*nowhere\.csv/],
    [{ partition: 'dirichlet' }, /--partition/],
    [{ partition: 'column:colour' }, /colour/],
    [{ seeds: '2..1' }, /--seeds/],
    [{ clients: 500 }, /from 1 to 96 clients/],
    [{ clients: undefined }, /no number of clients/],
    [{ methods: ['fedsdv'] }, /method/],
    [{ holdOut: 'a.csv', holdOutShare: 0.1 }, /got both/],
    [{ holdOutShare: 1 }, /between 0 and 1/],
    [{ holdOutShare: 1e-6 }, /leaves a record to measure on/],
    [{ config: 'nowhere.yaml' }, /nowhere\.yaml/],
    [{ config: { name: 'x', labels: ['a', 'b'], target: { epsilon: 6 }, model: 'no-model' } }, /no-model/],
    [{ config: { ...CONFIG, labels: ['x', 'y'] } }, /LABEL_UNKNOWN/],
  ])('with %o is refused before anything is written', async (changes, told) => {
    const out = join(folder, 'refused')
    await expect(simulate(settings({ out, ...changes }))).rejects.toThrow(told)
    expect(readdirSync(folder)).not.toContain('refused')
  })
})
