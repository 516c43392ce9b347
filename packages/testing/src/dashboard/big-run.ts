import { randomUUID } from 'node:crypto'
import { eventOfRound } from '@fedsvd/core/accounting'
import { runManifestSchema } from '@fedsvd/core/protocol'
import type { PrivacyFact, RoundProgress, RunRecord, Store } from '@fedsvd/server/storage/records'
import type { TestCoordinator } from '../server/index.ts'
import { tinyModel, tinyRequest } from '../server/index.ts'

export interface BigRun {
  readonly clients: number
  readonly rounds: number
  /** Clients of each round, in turn. */
  readonly perRound: number
}

const BEGAN = Date.UTC(2026, 0, 1)
const ROUND_MS = 60_000

/** Writes a long run of many clients, as it would have been stored, into the store of a coordinator. */
export async function seedBigRun({ store }: TestCoordinator, { clients, rounds, perRound }: BigRun): Promise<string> {
  const runId = randomUUID()
  const request = tinyRequest({ name: 'a long run', rounds, clientsPerRound: perRound, quorum: perRound })
  const adapter = await tinyModel.adapterSchema({ adapter: request.adapter, classes: request.labels.length })
  const layers = Array.from({ length: 24 }, (_, index) => ({
    ...adapter.layers[0]!,
    name: `encoder.layer.${index}.query`,
  }))
  const run: RunRecord = {
    manifest: runManifestSchema.parse({ ...request, runId, adapter: { ...adapter, layers } }),
    state: 'completed',
    createdAt: BEGAN,
    endedAt: BEGAN + rounds * ROUND_MS,
    baseline: { majority: 0.5, records: 1000 },
  }
  await store.runs.create(run, { runId, number: 0, basis: 0, sha256: 'aa', bytes: 1000, publishedAt: BEGAN })
  const ids = await enrol(store, clients)
  const terms = { declaredRecords: 1000, sampleRate: 0.01, noiseMultiplier: 1, budget: request.target }
  for (const clientId of ids) await store.participants.join({ runId, clientId, terms, joinedAt: BEGAN })
  const event = eventOfRound(run.manifest, terms)
  for (let round = 0; round < rounds; round += 1) {
    const asked = Array.from({ length: perRound }, (_, index) => ids[(round * perRound + index) % clients]!).sort()
    const openedAt = BEGAN + round * ROUND_MS
    const fact = (clientId: string): PrivacyFact => {
      const source = 'coordinator' as const
      return { runId, round, clientId, attempt: 1, event, source, voided: false, recordedAt: openedAt }
    }
    const after = publishedRound(runId, round, openedAt, asked, layers.length)
    await store.rounds.save({ after, spent: asked.map(fact), refunded: [] })
    const accuracy = 1 - 0.5 / Math.sqrt(1 + round)
    await store.rounds.setEvaluation(runId, round, { accuracy, loss: 1 - accuracy, records: 1000 })
  }
  return runId
}

function publishedRound(
  runId: string,
  round: number,
  openedAt: number,
  asked: readonly string[],
  layers: number,
): RoundProgress {
  const { quorum, deadlineSeconds } = { quorum: asked.length, deadlineSeconds: 60 }
  return {
    runId,
    round,
    phase: 'published',
    version: 1,
    plan: { quorum, clientsPerRound: asked.length, deadlineSeconds },
    openedAt,
    deadline: openedAt + ROUND_MS,
    extensions: 0,
    tasks: asked.map((clientId, index) => ({
      clientId,
      state: 'delivered',
      update: { sha256: `${round}-${index}`, bytes: 1000, receivedAt: openedAt + 20_000 + 500 * index },
    })),
    closedAt: openedAt + 40_000,
    publishedAt: openedAt + 45_000,
    result: {
      sha256: `state-${round}`,
      bytes: 1000,
      basis: round + 1,
      spectra: Array.from({ length: layers }, (_, layer) => [1, 1 / (1 + ((round + layer) % 50) / 10)]),
    },
  }
}

async function enrol(store: Store, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID())
  for (const [index, id] of ids.entries()) {
    const hash = randomUUID()
    await store.clients.addTokens([{ hash, createdAt: BEGAN, expiresAt: BEGAN + 1 }])
    await store.clients.enrol(hash, { id, name: `site ${index + 1}`, publicKey: 'key', enrolledAt: BEGAN })
  }
  return ids
}
