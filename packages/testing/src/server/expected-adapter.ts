import { createHash } from 'node:crypto'
import { beginMean, inverseVarianceWeights, rebase, serverStep, stalenessWeight } from '@fedsvd/core/federation'
import { type AdapterState, initialState, trainedSpecs } from '@fedsvd/core/lora'
import type { RunSnapshot } from '@fedsvd/core/protocol'
import { encodeState, schemaHashOf } from '@fedsvd/server/rounds'
import type { FakeClient } from './fake-client.ts'

/** The SHA-256 of the state that a run must end in when each update that its history names was counted exactly once. */
export function expectedAdapter(snapshot: RunSnapshot, clients: readonly FakeClient[]): string {
  const { manifest } = snapshot
  return createHash('sha256')
    .update(encodeState(manifest, schemaHashOf(manifest.adapter), expectedState(snapshot, clients)))
    .digest('hex')
}

/** That state, with its factors made by the exact route. */
export function expectedState({ manifest, rounds }: RunSnapshot, clients: readonly FakeClient[]): AdapterState {
  const { adapter, seed, runId, mode, aggregation } = manifest
  const states: AdapterState[] = [initialState(adapter, { seed })]
  const clientOf = (clientId: string) => clients.find((client) => client.clientId === clientId)!
  const deltaOf = (clientId: string, round: number) => clientOf(clientId).delta(runId, round)
  const weightsOf = (ids: readonly string[]) =>
    aggregation?.name === 'inverse-variance-mean'
      ? inverseVarianceWeights(ids.map((clientId) => clientOf(clientId).termsFor(manifest)))
      : ids.map(() => 1)
  for (const { round, clients: counted, late = [] } of rounds) {
    const mean = beginMean(trainedSpecs(adapter))
    const to = states[round]!
    const own = counted.toSorted()
    const weights = weightsOf([...own, ...late.map(([clientId]) => clientId)])
    for (const [index, clientId] of own.entries()) mean.add(deltaOf(clientId, round), weights[index])
    for (const [index, [clientId, madeIn]] of late.entries()) {
      const weight = mode?.name === 'buffered' ? stalenessWeight(round - madeIn, mode.stalenessExponent) : 1
      const delta = deltaOf(clientId, madeIn)
      mean.add(rebase({ schema: adapter, from: states[madeIn]!, to, delta, weight }), weights[own.length + index])
    }
    states.push(serverStep({ manifest, state: to, mean: mean.mean() }).state)
  }
  return states.at(-1)!
}
