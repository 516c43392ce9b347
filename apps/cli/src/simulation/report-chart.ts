import { escaped } from './html.ts'
import type { Summary } from './summary.ts'

/** More lines than these cannot be told apart: the best are shown. */
export const MOST_LINES = 8

const [WIDTH, HEIGHT] = [720, 320]
const EDGE = { left: 56, right: 16, top: 16, bottom: 44 }
/** Lines are told apart by how they are dashed as well as by colour. */
const DASHES = ['', '6 3', '2 3', '9 3 2 3', '12 4', '4 2 1 2', '1 3', '8 2 2 2 2 2']

/** The measure over the rounds, a line for each setting with its standard errors, as SVG. */
export function chart({ settings, measure, majority }: Summary): string {
  const lines = [...settings].sort((left, right) => right.last.mean - left.last.mean).slice(0, MOST_LINES)
  const points = lines.flatMap(({ rounds }) => rounds.map((round) => round.measure)).filter(({ mean }) => mean >= 0)
  if (points.length === 0) return ''
  const reach = (sign: number) => points.map(({ mean, standardError = 0 }) => mean + sign * standardError)
  const guessed = majority === undefined ? [] : [majority.mean]
  const [low, high] = spread(Math.min(...reach(-1), ...guessed), Math.max(...reach(1), ...guessed))
  const most = Math.max(2, ...lines.map(({ rounds }) => rounds.length))
  const x = (round: number): number => EDGE.left + ((round - 1) / (most - 1)) * (WIDTH - EDGE.left - EDGE.right)
  const y = (value: number): number => {
    const share = (value - low) / (high - low)
    return HEIGHT - EDGE.bottom - share * (HEIGHT - EDGE.top - EDGE.bottom)
  }
  const title = measure === 'microF1' ? 'Micro-averaged F1' : 'Accuracy'
  const levels = ticks(low, high).map(
    (value) =>
      `<line class="grid" x1="${EDGE.left}" x2="${WIDTH - EDGE.right}" y1="${at(y(value))}" y2="${at(y(value))}"/>` +
      `<text x="${EDGE.left - 8}" y="${at(y(value) + 4)}" text-anchor="end">${value.toFixed(3)}</text>`,
  )
  const rounds = roundsShown(most).map(
    (round) => `<text x="${at(x(round))}" y="${HEIGHT - EDGE.bottom + 18}" text-anchor="middle">${round}</text>`,
  )
  const guess =
    majority === undefined
      ? ''
      : `<line class="guess" x1="${EDGE.left}" x2="${WIDTH - EDGE.right}" y1="${at(y(majority.mean))}" y2="${at(y(majority.mean))}"/>` +
        `<text x="${WIDTH - EDGE.right}" y="${at(y(majority.mean) - 5)}" text-anchor="end">guessing the largest class</text>`
  const drawn = lines.map(({ name, rounds: own }, index) => {
    const path = own.map(({ round, measure: { mean } }) => `${at(x(round))},${at(y(mean))}`).join(' ')
    const bars = own.map(({ round, measure: { mean, standardError } }) =>
      standardError === undefined
        ? ''
        : `<line x1="${at(x(round))}" x2="${at(x(round))}" y1="${at(y(mean - standardError))}" y2="${at(y(mean + standardError))}"/>`,
    )
    const dots = own.map(
      ({ round, measure: { mean } }) =>
        `<circle cx="${at(x(round))}" cy="${at(y(mean))}" r="2.5"><title>${escaped(name)}, ${round}: ${mean.toFixed(4)}</title></circle>`,
    )
    return `<g class="line line-${index}"><polyline points="${path}" stroke-dasharray="${DASHES[index]}"/>${bars.join('')}${dots.join('')}</g>`
  })
  const keys = lines.map(
    ({ name }, index) =>
      `<li><svg width="34" height="10" aria-hidden="true" class="line line-${index}"><line x1="0" x2="34" y1="5" y2="5" stroke-dasharray="${DASHES[index]}"/></svg> ${escaped(name)}</li>`,
  )
  const left = settings.length - lines.length
  return `<figure>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title} by round, a line for each setting">
${levels.join('')}${rounds.join('')}
<text x="${(WIDTH + EDGE.left) / 2}" y="${HEIGHT - 6}" text-anchor="middle">round</text>
${guess}${drawn.join('\n')}
</svg>
<ul class="legend">${keys.join('')}</ul>
<figcaption>${title} on the hold-out after each round: means over the seeds, with standard errors.${left > 0 ? ` The ${lines.length} best settings of ${settings.length}.` : ''}</figcaption>
</figure>`
}

/** A little room above and below, and some where all values are one. */
function spread(low: number, high: number): readonly [number, number] {
  const room = Math.max((high - low) * 0.06, 0.005)
  return [Math.max(0, low - room), high + room]
}

function ticks(low: number, high: number): readonly number[] {
  const rough = (high - low) / 5
  const unit = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((times) => times * unit).find((each) => each >= rough)!
  const first = Math.ceil(low / step)
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, index) => (first + index) * step)
}

function roundsShown(most: number): readonly number[] {
  const step = Math.max(1, Math.ceil((most - 1) / 10))
  return Array.from({ length: Math.floor((most - 1) / step) + 1 }, (_, index) => 1 + index * step)
}

function at(value: number): string {
  return value.toFixed(1)
}
