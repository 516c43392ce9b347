import { describe, expect, it } from 'vitest'
import { experimentConfigSchema } from './experiment-config.ts'
import { reportPage } from './report-page.ts'
import { type FinishedCell, rowsAsCsv } from './rows.ts'
import { summarise } from './summary.ts'

const config = experimentConfigSchema.parse({
  name: '<b>"trial" & more',
  labels: ['a', 'b'],
  target: { epsilon: 6 },
})

/** Two settings under three seeds; the second is better by 0.1, 0.2 and 0.3. */
const finished: FinishedCell[] = [1, 2, 3].flatMap((seed) =>
  ['one', '<two>'].map((value, index) => ({
    cell: { point: { initialiser: value }, seed, request: { method: 'fedsvd' } },
    result: {
      rounds: [0.5, 0.6].map((accuracy, at) => ({
        round: at + 1,
        accuracy: accuracy + (index * seed) / 10,
        loss: 1,
        sites: 2,
        seconds: 1,
        epsilon: 2 + at,
      })),
      majority: 0.4,
      holdOutRecords: 10,
      seconds: 3,
      declined: 0,
    },
  })),
) as never

const facts = {
  config,
  data: ['data.csv'],
  holdOut: { share: 0.2 },
  partition: { kind: 'dirichlet', concentration: 0.5 },
  clients: 2,
  seeds: [1, 2, 3],
  declared: 'own',
  records: 100,
  cells: 7,
  failed: 1,
} as const

describe('the report of an experiment', () => {
  const summary = summarise(finished)
  const page = reportPage(summary, facts)

  it('compares settings seed by seed', () => {
    const [first, second] = summary.settings
    expect(first).toMatchObject({ name: 'fedsvd, initialiser one', seeds: [1, 2, 3], epsilon: 3 })
    expect(first).not.toHaveProperty('difference')
    expect(second!.difference!.mean).toBeCloseTo(0.2, 12)
    // 0.1, 0.2, 0.3: standard error 0.1 / sqrt(3), times t = 4.303 of two degrees of freedom
    expect(second!.difference!.interval![0]).toBeCloseTo(0.2 - (4.3027 * 0.1) / Math.sqrt(3), 4)
    expect(page).toContain('+0.2000')
    expect(page).toContain('6 of 7 finished, 1 failed')
  })

  it('is one page for both themes, in which no name is markup', () => {
    expect(page).toContain('prefers-color-scheme:dark')
    expect(page).toContain('&lt;b&gt;&quot;trial&quot; &amp; more')
    expect(page).not.toMatch(/<b>|<two>|<script|https?:/)
    expect(page.match(/<polyline/g)).toHaveLength(2)
  })

  it('can be drawn when nothing is finished, or all values are one', () => {
    expect(reportPage(summarise([]), facts)).toContain('0 of 7 finished')
    expect(reportPage(summarise(finished.slice(0, 1)), facts)).not.toContain('NaN')
  })

  it('has its rows as CSV, with what needs it in quotation marks', () => {
    const [first] = finished
    const odd = { ...first!, cell: { ...first!.cell, point: { initialiser: 'a,"b"' } } }
    expect(rowsAsCsv([odd])).toBe(
      [
        'method,initialiser,seed,round,accuracy,loss,micro_f1,majority,hold_out_records,epsilon,sites,seconds',
        'fedsvd,"a,""b""",1,1,0.5,1,,0.4,10,2,2,1',
        'fedsvd,"a,""b""",1,2,0.6,1,,0.4,10,3,2,1',
        '',
      ].join('\r\n'),
    )
  })
})
