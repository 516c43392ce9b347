/**
 * What a coordinator that asks all the time learns of a site's training from how long the answers take: by a connection
 * of the computing process itself, and by one in a thread of its own with answers that are kept back.
 *
 *   npm run bench:answer-times -- [--json] [--seconds N]
 *
 * Probes every 2 ms and questions every 20 ms, while nothing is computed and while the starter computes lots. AUC is
 * the probability that an answer from within a training takes longer than one from outside: 0.5 tells nothing.
 */
import { parseArgs } from 'node:util'
import {
  ANSWER_HOLD_MS,
  type CoordinatorLink,
  connectionThread,
  networkTransport,
  type Transport,
} from '../apps/client/src/transport/index.ts'
import { initialState } from '../packages/core/src/lora/index.ts'
import { type EncodedRecord, recordsInMemory } from '../packages/engine/src/datasets/index.ts'
import { lotOfAll } from '../packages/engine/src/training/lots/index.ts'
import { createStarterEngine } from '../packages/starter/src/index.ts'
import { noopHandlers } from '../packages/testing/src/client/noop-handlers.ts'
import { type ProbingCoordinator, probingCoordinator } from '../packages/testing/src/client/probing-coordinator.ts'
import { auc } from './auc.ts'

const { values: given } = parseArgs({
  options: { json: { type: 'boolean', default: false }, seconds: { type: 'string', default: '10' } },
})
const forMs = 1000 * Number(given.seconds)
const RECORDS = 24
const TOKENS = 128
const RUN = '5b7e3f0a-3d51-4f0e-9c39-0d5f0d2f6b11'
const invitation = {
  runId: RUN,
  round: 0,
  basis: 0,
  state: { sha256: 'a'.repeat(64), bytes: 10 },
  uploadToken: 'token',
  deadline: '2100-01-01T00:00:00.000Z',
}

await using engine = await createStarterEngine({ rank: 8, alpha: 8, headMode: 'trained', classes: 2, threads: 1 })
const state = initialState(engine.schema, { seed: 'answer-times' })
const recordOf = (n: number): EncodedRecord => {
  return { tokenIds: Int32Array.from({ length: TOKENS }, (_, t) => (131 * t + 977 * n) % 8000), label: n % 2 }
}
const lot = lotOfAll(recordsInMemory(Array.from({ length: RECORDS }, (_, n) => recordOf(n))))
await engine.clippedLotSum(lot, state, 1)

/** Computes lots until it is told to end. */
function train(): () => Promise<void> {
  let isOver = false
  const done = (async () => {
    while (!isOver) await engine.clippedLotSum(lot, state, 1)
  })()
  return async () => {
    isOver = true
    await done
  }
}

async function connect(coordinator: ProbingCoordinator, transport: Transport): Promise<CoordinatorLink> {
  const connected = coordinator.connected()
  const link = transport.open(
    { clientId: RUN, instance: RUN, ledgerHead: () => undefined, signChallenge: () => 's'.repeat(86) },
    noopHandlers({ onInvitation: async () => ({ accepted: true }) }),
  )
  await connected
  return link
}

const ways = {
  sameThread: (url: string) => networkTransport(url),
  ownThread: (url: string) => connectionThread(url, { holdMs: ANSWER_HOLD_MS }),
}
const kinds = { probe: { everyMs: 2 }, invite: { everyMs: 20, message: invitation } } as const
const result: Record<string, Record<string, ReturnType<typeof compare>>> = {}
for (const [way, transport] of Object.entries(ways)) {
  await using coordinator = await probingCoordinator()
  await using _link = await connect(coordinator, transport(coordinator.url))
  result[way] = {}
  for (const [event, settings] of Object.entries(kinds)) {
    const watched = { event: event as keyof typeof kinds, ...settings, forMs }
    const idle = await coordinator.watch(watched)
    const end = train()
    const training = await coordinator.watch(watched)
    await end()
    result[way][event] = compare(idle, training)
  }
}

if (given.json) console.log(JSON.stringify(result))
else {
  for (const [way, events] of Object.entries(result)) {
    for (const [event, { idle, training, auc: separation }] of Object.entries(events)) {
      const words = ({ median, p99, max }: Quantiles) =>
        `${median.toFixed(1)} / ${p99.toFixed(1)} / ${max.toFixed(1)} ms`
      console.log(
        `${way} ${event}: idle ${words(idle)}, training ${words(training)} (median / p99 / most), AUC ${separation.toFixed(2)}`,
      )
    }
  }
}

interface Quantiles {
  readonly median: number
  readonly p99: number
  readonly max: number
}

function compare(idle: readonly number[], training: readonly number[]) {
  return { idle: quantiles(idle), training: quantiles(training), auc: auc(training, idle) }
}

function quantiles(times: readonly number[]): Quantiles {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!
  return { median: at(0.5), p99: at(0.99), max: sorted.at(-1)! }
}
