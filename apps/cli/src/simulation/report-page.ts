import type { Experiment } from './experiment.ts'
import { escaped } from './html.ts'
import { partitionText } from './partition.ts'
import { chart } from './report-chart.ts'
import type { Estimate } from './statistics.ts'
import type { SettingSummary, Summary } from './summary.ts'

/** What the page says about the experiment itself. */
export interface ReportFacts
  extends Pick<Experiment, 'config' | 'data' | 'holdOut' | 'partition' | 'clients' | 'seeds' | 'declared'> {
  readonly records: number
  readonly cells: number
  readonly failed: number
}

const MEASURES = { accuracy: 'accuracy', microF1: 'micro F1' } as const

/** One page, whole in itself: no script, and nothing that it loads from anywhere. */
export function reportPage(summary: Summary, facts: ReportFacts): string {
  const title = escaped(facts.config.name)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}: simulation</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p class="note"><strong>A simulation, on public data.</strong> Lots and noise follow from the seeds, so that settings can
be compared pair by pair: what was trained here protects nobody. Epsilon is what the same run would spend at a site of a
live federation.</p>
${factList(facts, summary)}
<h2>Settings</h2>
${settingsTable(summary)}
<p class="small">Means over the seeds at the last round, with standard errors. The difference is to the first setting,
seed by seed, with the interval that covers the true one with a probability of 95&#160;% (Student's t). Intervals of many
settings are not all right at once.</p>
<h2>By round</h2>
${chart(summary)}
${roundsTable(summary)}
</main>
</body>
</html>
`
}

function factList(facts: ReportFacts, { settings }: Summary): string {
  const { data, holdOut, partition, seeds, declared, records, cells, failed, clients } = facts
  const finished = settings.reduce((sum, setting) => sum + setting.seeds.length, 0)
  const rows: readonly (readonly [string, string])[] = [
    ['data', `${data.join(', ')}: ${records} records`],
    [
      'hold-out',
      'share' in holdOut ? `${holdOut.share} of the records, others under each seed` : holdOut.files.join(', '),
    ],
    ['partition', `${partitionText(partition)}${clients === undefined ? '' : ` over ${clients} sites`}`],
    ['declared records', declared === 'own' ? "each site's own count, to two digits" : String(declared)],
    ['seeds', seeds.join(', ')],
    ['cells', `${finished} of ${cells} finished${failed > 0 ? `, ${failed} failed` : ''}`],
  ]
  return `<dl>${rows.map(([name, value]) => `<dt>${name}</dt><dd>${escaped(value)}</dd>`).join('')}</dl>`
}

function settingsTable({ settings, measure, majority }: Summary): string {
  const heading = ['setting', 'seeds', MEASURES[measure], 'difference', '95 % interval', 'loss', 'epsilon', 'seconds']
  const guessed =
    majority === undefined
      ? []
      : [row(['guessing the largest class', '', estimateText(majority), '', '', '', '', ''], 'guess-row')]
  return tableOf(heading, [...settings.map((setting) => row(settingCells(setting))), ...guessed])
}

function settingCells({ name, seeds, last, difference, loss, epsilon, seconds }: SettingSummary): readonly string[] {
  const interval = difference?.interval
  return [
    name,
    String(seeds.length),
    estimateText(last),
    difference === undefined ? '' : signed(difference.mean),
    interval === undefined ? '' : `${signed(interval[0])} to ${signed(interval[1])}`,
    loss === undefined ? '' : estimateText(loss),
    epsilon.toFixed(3),
    seconds.mean.toFixed(1),
  ]
}

function roundsTable({ settings, measure }: Summary): string {
  const most = Math.max(0, ...settings.map(({ rounds }) => rounds.length))
  if (most === 0) return ''
  const rows = Array.from({ length: most }, (_, index) =>
    row([
      String(index + 1),
      ...settings.map(({ rounds }) => (rounds[index] === undefined ? '' : estimateText(rounds[index].measure))),
    ]),
  )
  const heading = ['round', ...settings.map(({ name }) => name)]
  return `<details><summary>${MEASURES[measure]} of each round</summary>${tableOf(heading, rows)}</details>`
}

function tableOf(heading: readonly string[], rows: readonly string[]): string {
  const head = heading.map((cell) => `<th scope="col">${escaped(cell)}</th>`).join('')
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>`
}

function row([first, ...cells]: readonly string[], name = ''): string {
  const rest = cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')
  return `<tr${name && ` class="${name}"`}><th scope="row">${escaped(first!)}</th>${rest}</tr>`
}

function estimateText({ mean, standardError }: Estimate): string {
  if (Number.isNaN(mean)) return 'not measured'
  return standardError === undefined ? mean.toFixed(4) : `${mean.toFixed(4)} ± ${standardError.toFixed(4)}`
}

function signed(value: number): string {
  return Number.isNaN(value) ? '' : `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`
}

const LIGHT = ['#0b63b5', '#b5460b', '#1a7f37', '#7b3fb5', '#a3195b', '#5c6b00', '#00798a', '#444444']
const DARK = ['#6cb2ff', '#ffab70', '#6fd487', '#c9a3ff', '#ff8fc0', '#cfdb5c', '#5fd6e6', '#c8c8c8']
const lineColours = (colours: readonly string[]): string =>
  colours.map((colour, index) => `.line-${index}{color:${colour}}`).join('')

const STYLE = `
:root{color-scheme:light dark;--text:#1b1f24;--soft:#57606a;--edge:#d0d7de;--back:#fff;--note:#fff6dd}
${lineColours(LIGHT)}
@media (prefers-color-scheme:dark){:root{--text:#e6edf3;--soft:#9aa4ae;--edge:#3a434d;--back:#0f1419;--note:#33290d}
${lineColours(DARK)}}
body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:72rem;margin:0 auto;padding:1.5rem}
.note{background:var(--note);padding:.75rem 1rem;border-radius:.4rem}
.small,figcaption{color:var(--soft);font-size:.875rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .7rem;text-align:right;border-bottom:1px solid var(--edge);white-space:nowrap}
th[scope=row],thead th:first-child{text-align:left;font-weight:600}
.guess-row th{font-weight:400;color:var(--soft)}
figure{margin:0}figure>svg{width:100%;height:auto}
svg text{fill:var(--soft);font-size:12px}
.grid{stroke:var(--edge)}.guess{stroke:var(--soft);stroke-dasharray:3 4}
.line{stroke:currentColor;stroke-width:2;fill:none}.line circle{fill:currentColor;stroke:none}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;padding:0;margin:.5rem 0}
`
