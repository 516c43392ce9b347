import { createHash } from 'node:crypto'
import { initialState, trainedSpecs } from '@fedsvd/core/adapters'
import { beginMean, serverStep } from '@fedsvd/core/federation'
import type { RunSnapshot } from '@fedsvd/core/protocol'
import { encodeState, schemaHashOf } from '../src/rounds/index.ts'
import type { FakeClient } from './fake-client.ts'

/** The SHA-256 of the state that a run must end in when each update that its history names was counted exactly once. */
export function expectedAdapter({ manifest, rounds }: RunSnapshot, clients: readonly FakeClient[]): string {
  const { adapter, seed, runId } = manifest
  let state = initialState(adapter, { seed })
  for (const { round, clients: counted } of rounds) {
    const mean = beginMean(trainedSpecs(adapter))
    for (const clientId of counted.toSorted()) {
      mean.add(clients.find((client) => client.clientId === clientId)!.delta(runId, round))
    }
    state = serverStep({ manifest, state, mean: mean.mean() }).state
  }
  return createHash('sha256')
    .update(encodeState(manifest, schemaHashOf(adapter), state))
    .digest('hex')
}
