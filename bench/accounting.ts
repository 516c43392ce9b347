/**
 * How long the accountants take: one line per reference row (both accountants, from nothing), and one for the next
 * round appended to a ledger of 1,000. `--json` prints the figures as JSON instead.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Accountant, type AccountedEvent, pld, rdp } from '../packages/core/src/accounting/index.ts'

interface Row {
  readonly events: readonly AccountedEvent[]
  readonly delta: number
}

const { values: flags } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
const vectors = JSON.parse(
  readFileSync(new URL('../packages/core/src/accounting/vectors/accounting.json', import.meta.url), 'utf8'),
)
const rows: Row[] = [
  ...vectors.single.map(({ delta, ...event }: AccountedEvent & { delta: number }) => ({ events: [event], delta })),
  ...vectors.composed.map(({ parts, delta }: { parts: AccountedEvent[]; delta: number }) => ({ events: parts, delta })),
]

function milliseconds(run: () => unknown): number {
  const start = performance.now()
  run()
  return performance.now() - start
}

const oracle = rows.map(({ events, delta }) => ({
  mechanism: events.map((e) => `${e.steps} x (q ${e.sampleRate}, sigma ${e.noiseMultiplier})`).join(' + '),
  delta,
  rdpMs: milliseconds(() => rdp.epsilonUpperBound(events, delta)),
  pldMs: milliseconds(() => pld.epsilonUpperBound(events, delta)),
  epsilonPld: pld.epsilonUpperBound(events, delta),
}))

/**
 * Appends `rounds` more rounds to a ledger of 1,000, reading epsilon after each; a new mechanism every `fresh` rounds.
 */
function appends<Account>(accountant: Accountant<Account>, rounds: number, fresh: number) {
  const event = (round: number): AccountedEvent => ({
    sampleRate: 0.02,
    noiseMultiplier: 1 + Math.floor(round / fresh) / 1000,
    steps: 10,
  })
  let account = accountant.init(1e-5)
  for (let round = 0; round < 1000; round++) account = accountant.append(account, event(round))
  const times = Array.from({ length: rounds }, (_, i) =>
    milliseconds(() => {
      account = accountant.append(account, event(1000 + i))
      return accountant.epsilon(account)
    }),
  ).sort((a, b) => a - b)
  return { medianMs: times[times.length >> 1] as number, slowestMs: times.at(-1) as number }
}

const ledger = [rdp as Accountant, pld as Accountant].flatMap((accountant) => [
  { accountant: accountant.name, ledger: '1,000 rounds of one mechanism', ...appends(accountant, 100, 1e9) },
  { accountant: accountant.name, ledger: '1,000 rounds, a new mechanism every 50', ...appends(accountant, 100, 50) },
])

if (flags.json) {
  console.log(JSON.stringify({ oracle, ledger }, null, 2))
} else {
  console.log('From nothing, in milliseconds (aim: below 2,000)')
  console.table(oracle)
  console.log('One more round and its epsilon, in milliseconds (aim: below 20)')
  console.table(ledger)
}
